"""The factor by which a quantile of the candidate's latency is higher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, sqrt

import numpy as np

from dualmetrics.experiments.statistics import jackknife, quantiles
from dualmetrics.experiments.statistics.arrays import Array, merge_neighbors
from dualmetrics.experiments.statistics.autocorrelation import Inflation, merge_correlated_blocks
from dualmetrics.experiments.statistics.autocorrelation import inflation as inflation_of
from dualmetrics.experiments.statistics.critical import CriticalValues, OneLook
from dualmetrics.experiments.statistics.quantiles import QuantileBucket

Interpolant = Callable[[QuantileBucket], Array]
ONE_LOOK = OneLook()


@dataclass(frozen=True)
class Latencies:
    """A histogram a block: ``counts[b, k]`` in the bucket up to ``bounds[k]``; the last is ``+Inf``'s."""

    bounds: Array
    counts: Array

    def bucket(self, q: float) -> tuple[float, float]:
        """The ends ``(low, high]`` of the bucket that holds the quantile."""
        found = quantiles.locate_bucket(q, self.bounds, self.counts.sum(axis=0))
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class LogRatio:
    """``ln(Q1/Q0)`` by one interpolant, its standard error, and what is behind that."""

    estimate: float
    error: float
    inflation: Inflation
    critical: CriticalValues

    def interval(self, alpha: float) -> tuple[float, float]:
        """One-sided limits at ``alpha`` each."""
        half = self.critical.critical_value(alpha, self.inflation.df) * self.error
        return self.estimate - half, self.estimate + half

    def p_above(self, limit: float) -> float:
        """The p-value of "at most ``limit``"."""
        return self.critical.p_value(_ratio(self.estimate - limit, self.error), self.inflation.df)

    def p_below(self, limit: float) -> float:
        """The p-value of "at least ``limit``"."""
        return self.critical.p_value(_ratio(limit - self.estimate, self.error), self.inflation.df)


@dataclass(frozen=True)
class LatencyEffect:
    """The factor of a quantile. None where the quantile lies above the highest bound: nobody can say."""

    q: float
    baseline: tuple[float, float]
    candidate: tuple[float, float]
    values: tuple[float, float]
    """The baseline's and the candidate's quantile, by the tail interpolant."""
    linear: LogRatio | None
    tail: LogRatio | None

    @property
    def identified(self) -> bool:
        """Whether both quantiles lie below the highest bound."""
        return self.linear is not None and self.tail is not None

    @property
    def hard_bounds(self) -> tuple[float, float]:
        """What the factor must lie in whatever the shape inside the buckets: ``[lo1/hi0, hi1/lo0]``."""
        (low0, high0), (low1, high1) = self.baseline, self.candidate
        return low1 / high0, high1 / low0 if low0 > 0 else inf

    def interval(self, alpha: float) -> tuple[float, float]:
        """Limits of the factor: the lower by the tail interpolant, the upper the larger of both."""
        if self.linear is None or self.tail is None:
            return 0.0, inf
        upper = max(self.linear.interval(alpha)[1], self.tail.interval(alpha)[1])
        return exp(self.tail.interval(alpha)[0]), exp(min(upper, 700.0))

    def p_worse(self) -> float:
        """The p-value of "no slower", by the tail interpolant."""
        return self.tail.p_above(0.0) if self.tail else 1.0

    def p_beyond(self, margin: float) -> float:
        """The p-value of "slower by ``margin`` or more", the larger of the two interpolants'."""
        if self.linear is None or self.tail is None:
            return 1.0
        limit = log(1 + margin)
        return max(self.linear.p_below(limit), self.tail.p_below(limit))


def latency_effect(
    candidate: Latencies, baseline: Latencies, q: float, critical: CriticalValues = ONE_LOOK
) -> LatencyEffect:
    """The effect on the ``q`` quantile; both must have the same bounds."""
    tables = candidate.counts, baseline.counts
    values = tuple(float(_quantile(q, each, quantiles.tail_quantile)) for each in (baseline, candidate))
    linear = log_ratio(tables, baseline.bounds, q, quantiles.linear_quantile, critical)
    tail = log_ratio(tables, baseline.bounds, q, quantiles.tail_quantile, critical)
    return LatencyEffect(q, baseline.bucket(q), candidate.bucket(q), (values[0], values[1]), linear, tail)


def log_ratio(
    tables: tuple[Array, ...], bounds: Array, q: float, interpolant: Interpolant, critical: CriticalValues
) -> LogRatio | None:
    """``ln(Q1/Q0)``, with the delete-one-block jackknife and the inflation for autocorrelation."""

    def estimates(sums: tuple[Array, ...]) -> Array:
        above, below = (interpolant(quantiles.locate_bucket(q, bounds, each)) for each in sums)
        return logs(above) - logs(below)

    def moved(blocks: tuple[Array, ...]) -> Array:
        return jackknife.influences(estimates(tuple(jackknife.left_out(each) for each in blocks)))

    estimate = estimates(tuple(each.sum(axis=0) for each in tables))
    if len(tables[0]) == 1 and np.isfinite(estimate):
        return LogRatio(float(estimate), inf, inflation_of(np.zeros(1)), critical)
    if not np.isfinite(estimate) or not np.isfinite(moved(tables)).all():
        return None
    tables, inflation = merge_correlated_blocks(tables, merge_neighbors, moved)
    variance = inflation.k * float(np.sum(moved(tables) ** 2))
    return LogRatio(float(estimate), sqrt(variance), inflation, critical)


def logs(values: Array) -> Array:
    """Logarithms; of infinity NaN, so that differences of two infinities stay unknown."""
    known = np.isfinite(values) & (values > 0)
    return np.where(known, np.log(np.where(known, values, 1.0)), np.nan)


def _quantile(q: float, latencies: Latencies, interpolant: Interpolant) -> Array:
    return interpolant(quantiles.locate_bucket(q, latencies.bounds, latencies.counts.sum(axis=0)))


def _ratio(distance: float, error: float) -> float:
    if error > 0:
        return distance / error
    return 0.0 if distance == 0 else inf if distance > 0 else -inf
