"""The logarithm of the factor between the candidate and the baseline, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from dualmetrics.experiments.statistics import jackknife
from dualmetrics.experiments.statistics.arrays import Array, merge_neighbors
from dualmetrics.experiments.statistics.autocorrelation import (
    Inflation,
    inflation,
    merge_correlated_blocks,
)
from dualmetrics.experiments.statistics.critical import CriticalValues

Estimates = Callable[[tuple[Array, ...]], tuple[Array, Array]]
"""A function that estimates the candidate's and the baseline's value from sums over blocks."""


@dataclass(frozen=True)
class LogRatio:
    """``ln(candidate / baseline)`` by one estimate, and its standard error."""

    estimate: float
    error: float
    inflation: Inflation
    critical: CriticalValues

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits, each at ``alpha``."""
        half = self.critical.critical_value(alpha, self.inflation.df) * self.error
        return self.estimate - half, self.estimate + half

    def p_above(self, limit: float) -> float:
        """Return the p-value of "at most ``limit``"."""
        return self.critical.p_value(_standardized(self.estimate - limit, self.error), self.inflation.df)

    def p_below(self, limit: float) -> float:
        """Return the p-value of "at least ``limit``"."""
        return self.critical.p_value(_standardized(limit - self.estimate, self.error), self.inflation.df)


def estimate_log_ratio(
    tables: tuple[Array, ...], estimates: Estimates, critical: CriticalValues, full: float = 1.0
) -> LogRatio | None:
    """Estimate the logarithm with the delete-one-block jackknife, inflated for autocorrelation.

    None if one of the values is 0, infinite or unknown, with any block left out. ``full`` is the `fullness`
    of the blocks.
    """

    def log_ratios(sums: tuple[Array, ...]) -> Array:
        candidate, baseline = estimates(sums)
        return _finite_log(candidate) - _finite_log(baseline)

    def influences(blocks: tuple[Array, ...]) -> Array:
        return jackknife.influences(log_ratios(tuple(jackknife.left_out(counts) for counts in blocks)))

    estimate = log_ratios(tuple(counts.sum(axis=0) for counts in tables))
    if len(tables[0]) == 1 and np.isfinite(estimate):
        return LogRatio(float(estimate), inf, inflation(np.zeros(1)), critical)
    if not np.isfinite(estimate) or not np.isfinite(influences(tables)).all():
        return None
    tables, inflated = merge_correlated_blocks(tables, merge_neighbors, influences, full)
    variance = inflated.k * float(np.sum(influences(tables) ** 2))
    return LogRatio(float(estimate), sqrt(variance), inflated, critical)


def _finite_log(values: Array) -> Array:
    """Return logarithms, and NaN for infinity, so that the difference of two infinities is NaN too."""
    finite = np.isfinite(values) & (values > 0)
    return np.where(finite, np.log(np.where(finite, values, 1.0)), np.nan)


def _standardized(distance: float, error: float) -> float:
    if error > 0:
        return distance / error
    return 0.0 if distance == 0 else inf if distance > 0 else -inf
