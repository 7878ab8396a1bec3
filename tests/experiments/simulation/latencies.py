"""Simulated histograms of latency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS
from dualmetrics.experiments.statistics.latency import Latencies
from tests.experiments.simulation.noise import STEPS, Noise, factors, traffic

BOUNDS: Array = np.array([0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])
NARROW: Array = 0.005 * 2.0 ** (np.arange(0, 177) / 16)
"""Bounds 4 % apart, as a native histogram of schema 4 has them."""
REQUESTS = 2000.0


class Shape(NamedTuple):
    """A mixture of two log-normal latencies: most requests are fast, and a part is slower."""

    median: float = 0.05
    spread: float = 0.6
    slow: float = 0.05
    slower: float = 4.0

    def above(self, bounds: Array, factor: Array) -> Array:
        """Return the share of requests above each bound, with a row for each factor of the latency."""
        at = np.log(bounds[None, :] / (self.median * factor[:, None]))
        fast, slow = norm.sf(at / self.spread), norm.sf((at - np.log(self.slower)) / self.spread)
        return np.asarray((1 - self.slow) * fast + self.slow * slow, dtype=np.float64)


def pairs(
    noise: Noise,
    ratio: float | Array,
    runs: int,
    seed: int = 1,
    shape: Shape | None = None,
    bounds: Array = BOUNDS,
) -> Iterator[tuple[Latencies, Latencies]]:
    """Yield (candidate, baseline) for each run, in blocks.

    The candidate is slower by the factor ``ratio``, which may have a value for each step. Without a ``shape``
    each run has a different median, so that the quantiles are anywhere in their buckets.
    """
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        run_shape = shape or Shape(median=float(np.exp(rng.uniform(np.log(0.02), np.log(0.2)))))
        n0, n1 = traffic(noise, REQUESTS, rng)
        f0, f1 = factors(noise, rng)
        yield _histograms(run_shape, bounds, n1, f1 * ratio, rng), _histograms(run_shape, bounds, n0, f0, rng)


def _histograms(
    shape: Shape, bounds: Array, requests: Array, factor: Array, rng: np.random.Generator
) -> Latencies:
    above = np.concatenate((np.ones((STEPS, 1)), shape.above(bounds, factor), np.zeros((STEPS, 1))), axis=1)
    parts = np.clip(-np.diff(above, axis=1), 0, 1)
    counts = rng.multinomial(requests.astype(int), parts / parts.sum(axis=1, keepdims=True))
    return Latencies(bounds, counts.reshape(MAX_BLOCKS, -1, len(bounds) + 1).sum(axis=1).astype(float))
