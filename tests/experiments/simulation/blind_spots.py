"""Latencies that move inside a bucket, or next to a bound, where a histogram cannot see how far."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS
from dualmetrics.experiments.statistics.latency import Latencies
from tests.experiments.simulation.latencies import BOUNDS

REQUESTS = 3000
"""Of each variant in each block."""


class Part(NamedTuple):
    """A part of all requests: log-normal, or all alike if ``spread`` is 0."""

    share: float
    median: float
    spread: float

    def up_to(self, bounds: Array) -> Array:
        """Return the share of the part's requests that take at most as long as each bound."""
        if self.spread == 0:
            return np.asarray(bounds >= self.median, dtype=np.float64)
        return np.asarray(norm.cdf(np.log(bounds / self.median) / self.spread), dtype=np.float64)


class BlindSpot(NamedTuple):
    """The latencies of baseline and candidate, and the quantile that is judged."""

    baseline: tuple[Part, ...]
    candidate: tuple[Part, ...]
    bounds: Array = BOUNDS
    q: float = 0.95

    def pairs(self, runs: int, seed: int = 1) -> Iterator[tuple[Latencies, Latencies]]:
        """Yield (candidate, baseline) for each run."""
        rng = np.random.default_rng(seed)
        for _ in range(runs):
            yield self._histograms(self.candidate, rng), self._histograms(self.baseline, rng)

    def _histograms(self, parts: tuple[Part, ...], rng: np.random.Generator) -> Latencies:
        below = sum((part.share * part.up_to(self.bounds) for part in parts), np.zeros(len(self.bounds)))
        shares = np.diff(below, prepend=0.0, append=1.0)
        return Latencies(self.bounds, rng.multinomial(REQUESTS, shares, MAX_BLOCKS).astype(float))


FAST = Part(0.94, 0.02, 0.3)
SAME_AT_A_BOUND = (Part(0.95, 0.02, 0.3), Part(0.05, 2.0, 0.0))
BLIND_SPOTS = {
    "a slow mode inside a bucket, 10 % slower": BlindSpot(
        (FAST, Part(0.06, 0.35, 0.03)), (FAST, Part(0.06, 0.385, 0.03))
    ),
    "a wide bucket, 10 % slower": BlindSpot(
        (FAST, Part(0.06, 0.3, 0.2)), (FAST, Part(0.06, 0.33, 0.2)), np.array([0.01, 0.05, 0.1, 2.5])
    ),
    "timeouts from 1000 to 1001 ms": BlindSpot(
        (Part(0.9, 0.02, 0.3), Part(0.1, 1.0, 0.0)), (Part(0.9, 0.02, 0.3), Part(0.1, 1.001, 0.0))
    ),
    "5 % above a bound, no difference": BlindSpot(SAME_AT_A_BOUND, SAME_AT_A_BOUND),
}
