"""Simulated error counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS
from dualmetrics.experiments.statistics.error_ratio import Counts
from tests.experiments.simulation.noise import STEPS, Change, Noise, factors, traffic


class Service(NamedTuple):
    """A service with this error ratio, and so many requests of both variants in each step."""

    p: float = 0.01
    requests: float = 200.0


ROLLOUT = Service(0.005, 600.0)
"""Four hours in steps of 30 s, with ten requests per second for each variant."""


def pairs(
    noise: Noise,
    effect: float,
    runs: int,
    seed: int = 1,
    service: Service | None = None,
    change: Change | None = None,
) -> Iterator[tuple[Counts, Counts]]:
    """Yield (candidate, baseline) for each run, with a value for each step.

    The candidate's error rate is higher by ``effect``, and then changed by ``change``.
    """
    rng = np.random.default_rng(seed)
    p, requests = service or Service()
    for _ in range(runs):
        n0, n1 = traffic(noise, requests, rng)
        f0, f1 = factors(noise, rng)
        rates = (p + effect) * f1
        yield _counts(n1, change(rates) if change else rates, rng), _counts(n0, p * f0, rng)


def in_blocks(counts: Counts, blocks: int = MAX_BLOCKS) -> Counts:
    """Add up the steps in blocks of equal length."""
    return Counts(_summed(counts.errors, blocks), _summed(counts.requests, blocks))


def _counts(requests: Array, rate: Array, rng: np.random.Generator) -> Counts:
    errors = rng.binomial(requests.astype(int), np.clip(rate, 0.0, 1.0))
    return Counts(errors.astype(float), requests)


def _summed(values: Array, blocks: int) -> Array:
    return np.asarray(values.reshape(blocks, STEPS // blocks).sum(axis=1), dtype=np.float64)
