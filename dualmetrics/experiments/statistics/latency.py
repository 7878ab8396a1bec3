"""The factor by which a quantile of the candidate's latency is higher than the baseline's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, sqrt

import numpy as np

from dualmetrics.experiments.statistics import quantiles
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import fullness
from dualmetrics.experiments.statistics.breaks import PARTS, beyond_worst, in_parts
from dualmetrics.experiments.statistics.critical import ONE_LOOK, CriticalValues
from dualmetrics.experiments.statistics.error_ratio import Counts, RatioEffect, error_ratio_effect
from dualmetrics.experiments.statistics.log_ratio import LogRatio, estimate_log_ratio
from dualmetrics.experiments.statistics.quantiles import QuantileBucket

Interpolant = Callable[[QuantileBucket], Array]
"""A function that estimates a quantile from the bucket that holds it."""

BOUND_ROUNDING = 1e-9


@dataclass(frozen=True)
class Latencies:
    """A histogram for each block. Its ``counts`` have one column more than ``bounds``, for ``+Inf``."""

    bounds: Array
    counts: Array

    def quantile(self, q: float, interpolant: Interpolant) -> float:
        """Return the quantile over all blocks."""
        return float(interpolant(self._locate(q)))

    def tail_quantile(self, q: float) -> float:
        """Return the quantile by the tail interpolant."""
        return self.quantile(q, quantiles.tail_quantile)

    def bucket(self, q: float) -> tuple[float, float]:
        """Return the bounds ``(low, high]`` of the bucket that holds the quantile."""
        bucket = self._locate(q)
        return float(bucket.low), float(bucket.high)

    def buckets_of_parts(self, q: float) -> QuantileBucket | None:
        """Return the bucket that holds the quantile in each tenth of the window. None: too few blocks."""
        if len(self.counts) < PARTS:
            return None
        parts = in_parts(self.counts)
        return quantiles.locate_bucket(q, self.bounds, parts[parts.sum(axis=1) > 0])

    def slower_than(self, bound: float) -> Counts:
        """Count the requests that took longer than ``bound``, which is one of the ``bounds``."""
        first_slower = int(np.argmin(np.abs(self.bounds - bound))) + 1
        return Counts(self.counts[:, first_slower:].sum(axis=1), self.counts.sum(axis=1))

    def _locate(self, q: float) -> QuantileBucket:
        return quantiles.locate_bucket(q, self.bounds, self.counts.sum(axis=0))


@dataclass(frozen=True)
class LatencyEffect:
    """The factor of a quantile, estimated by two interpolants.

    An estimate is None if a quantile lies above the highest bucket bound, where it cannot be estimated.
    """

    q: float
    baseline: tuple[float, float]
    """The bounds of the bucket that holds the baseline's quantile."""
    candidate: tuple[float, float]
    """The bounds of the bucket that holds the candidate's quantile."""
    values: tuple[float, float]
    """The baseline's and the candidate's quantile, by the tail interpolant."""
    linear: LogRatio | None
    tail: LogRatio | None
    slower: RatioEffect | None = None
    """The effect on the share of requests above the baseline's bucket, if the candidate's lies above it."""
    breaks: float | None = None
    """By which factor the candidate's bucket exceeds those of the baseline in each tenth of the window."""

    @property
    def identified(self) -> bool:
        """Whether both quantiles lie below the highest bound."""
        return self.linear is not None and self.tail is not None

    @property
    def hard_bounds(self) -> tuple[float, float]:
        """The limits of the factor whatever the distribution inside the buckets: ``[lo1/hi0, hi1/lo0]``."""
        (low0, high0), (low1, high1) = self.baseline, self.candidate
        return low1 / high0, high1 / low0 if low0 > 0 else inf

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return limits of the factor: the lower by the tail interpolant, the upper the larger of both."""
        if self.linear is None or self.tail is None:
            return 0.0, inf
        upper = max(self.linear.interval(alpha)[1], self.tail.interval(alpha)[1])
        return exp(self.tail.interval(alpha)[0]), exp(min(upper, 700.0))

    def bounds_allow(self, margin: float) -> bool:
        """Whether the quantile is within ``margin`` wherever in their buckets the values lie."""
        return self.hard_bounds[1] <= (1 + margin) * (1 + BOUND_ROUNDING)

    def helpful_bounds(self, margin: float) -> tuple[float, float]:
        """Return two bucket bounds around the baseline's quantile that are as far apart as the margin."""
        return self.values[0] / sqrt(1 + margin), self.values[0] * sqrt(1 + margin)

    def p_worse(self, *, enough: bool) -> float:
        """Return the p-value of "no slower", by the tail interpolant.

        It is 1 unless the candidate's bucket lies above the baseline's: a value that moves from one side of
        a bound to the other may have moved by next to nothing. The share of requests above the baseline's
        bucket must be larger too, because a quantile between two modes jumps by chance. ``enough`` says
        whether there are enough blocks. It is 0 for a break.
        """
        if self.breaks is not None:
            return 0.0
        if self.tail is None or self.slower is None or not enough or not self.tail.critical.decides:
            return 1.0
        return max(self.tail.p_above(0.0), self.slower.p_worse(enough=self.slower.inflation.enough))

    def p_above(self, limit: float, *, enough: bool) -> float:
        """Return the p-value of "worse by at most ``limit``", a logarithm. 1 if the buckets allow it."""
        if self.tail is None or not enough or not self.tail.critical.decides:
            return 1.0
        return self.tail.p_above(limit) if self.hard_bounds[0] >= exp(limit) else 1.0

    def p_beyond(self, margin: float) -> float:
        """Return the p-value of "slower by ``margin`` or more", the larger of both interpolants.

        It is 1 if it is too early, or if the buckets are so wide that such a move could happen within them.
        """
        if self.linear is None or self.tail is None or not self.bounds_allow(margin):
            return 1.0
        if not self.tail.critical.decides:
            return 1.0
        limit = log(1 + margin)
        return max(self.linear.p_below(limit), self.tail.p_below(limit))


def latency_effect(
    candidate: Latencies,
    baseline: Latencies,
    q: float,
    critical: CriticalValues = ONE_LOOK,
    *,
    up_good: bool = False,
    stratified: bool = False,
) -> LatencyEffect:
    """Estimate the effect on the ``q`` quantile. Both variants must have the same bounds.

    If higher is better, the effect is that of the baseline against the candidate, except for a break.
    ``stratified`` says that the counts are weighted by stratum.
    """
    breaks = (_collapse if up_good else _break)(candidate, baseline, q)
    if up_good:
        candidate, baseline = baseline, candidate
    tables = candidate.counts, baseline.counts
    full = fullness((candidate.counts + baseline.counts).sum(axis=1)) if stratified else 1.0
    return LatencyEffect(
        q=q,
        baseline=baseline.bucket(q),
        candidate=candidate.bucket(q),
        values=(baseline.tail_quantile(q), candidate.tail_quantile(q)),
        linear=_log_ratio(tables, baseline.bounds, q, quantiles.linear_quantile, critical, full),
        tail=_log_ratio(tables, baseline.bounds, q, quantiles.tail_quantile, critical, full),
        slower=_share_above_bucket(candidate, baseline, q, critical, stratified=stratified),
        breaks=breaks,
    )


def _share_above_bucket(
    candidate: Latencies, baseline: Latencies, q: float, critical: CriticalValues, *, stratified: bool
) -> RatioEffect | None:
    bound = baseline.bucket(q)[1]
    if candidate.bucket(q)[0] <= bound * (1 + BOUND_ROUNDING):
        return None
    shares = candidate.slower_than(bound), baseline.slower_than(bound)
    return error_ratio_effect(*shares, critical, stratified=stratified)


def _break(candidate: Latencies, baseline: Latencies, q: float) -> float | None:
    """Apply `beyond_worst` to the quantile, with the bucket bounds that make the least of the factor."""
    located = baseline.buckets_of_parts(q)
    if located is None:
        return None
    return beyond_worst(candidate.bucket(q)[0], float(located.high.max()), quantiles.tail_quantile(located))


def _collapse(candidate: Latencies, baseline: Latencies, q: float) -> float | None:
    """Apply `beyond_worst` to a quantile that is lower, in the same way."""
    located = baseline.buckets_of_parts(q)
    if located is None:
        return None
    lowest, values = float(located.low.min()), quantiles.tail_quantile(located)
    if lowest <= 0 or not (values > 0).all():
        return None
    return beyond_worst(1 / candidate.bucket(q)[1], 1 / lowest, 1 / values)


def _log_ratio(
    tables: tuple[Array, ...],
    bounds: Array,
    q: float,
    interpolant: Interpolant,
    critical: CriticalValues,
    full: float,
) -> LogRatio | None:
    def quantiles_of(sums: tuple[Array, ...]) -> tuple[Array, Array]:
        candidate, baseline = (interpolant(quantiles.locate_bucket(q, bounds, counts)) for counts in sums)
        return candidate, baseline

    return estimate_log_ratio(tables, quantiles_of, critical, full)
