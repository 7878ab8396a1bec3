"""The difference of the error ratios of candidate and baseline."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from dualmetrics.experiments.statistics import exact_test, score_interval
from dualmetrics.experiments.statistics.arrays import Array, merge_neighbors
from dualmetrics.experiments.statistics.autocorrelation import (
    Inflation,
    fullness,
    merge_correlated_blocks,
)
from dualmetrics.experiments.statistics.breaks import error_break
from dualmetrics.experiments.statistics.critical import ONE_LOOK, CriticalValues, OneLook
from dualmetrics.experiments.statistics.incidents import allowances
from dualmetrics.experiments.statistics.score_interval import ContingencyTable
from dualmetrics.experiments.statistics.typical_block import (
    EVIDENCE,
    STRICT_EVIDENCE,
    LogRatios,
    TypicalBlock,
    has_many_errors,
    log_ratios,
)


@dataclass(frozen=True)
class Counts:
    """The errors and requests of one variant in each block."""

    errors: Array
    requests: Array

    @property
    def ratio(self) -> float:
        """The share of errors over all blocks."""
        return float(self.errors.sum() / self.requests.sum())

    @property
    def rest(self) -> Counts:
        """The requests that are no errors, counted as errors."""
        return Counts(np.maximum(self.requests - self.errors, 0.0), self.requests)


@dataclass(frozen=True)
class RatioEffect:
    """The difference ``p1 - p0`` of the error ratios, 1 being the candidate and 0 the baseline.

    ``phi`` is the overdispersion: how many times more than by chance the difference varies.
    ``more_candidate`` and ``more_baseline`` are the `allowances` for more incidents like the worst of either
    variant.
    """

    table: ContingencyTable
    phi: float
    inflation: Inflation
    critical: CriticalValues = ONE_LOOK
    typical: TypicalBlock | None = None
    """The test of a typical block; None if there are too few errors, or the ratios drift too slowly."""
    settled: bool = True
    """Whether the difference varies fast enough that the window shows how much it varies."""
    more_candidate: float = 0.0
    more_baseline: float = 0.0
    breaks: float | None = None
    """By which factor the candidate exceeds the baseline's worst tenth of the window, if by a wide margin."""
    stratified: bool = False
    """Whether the counts are weighted by stratum, so that they are no longer numbers of requests."""

    @property
    def effective(self) -> ContingencyTable:
        """The table of the number of independent requests that would carry the same information."""
        return self.table.divided_by(self.phi)

    @property
    def exact(self) -> bool:
        """Whether there are so few errors that the exact test is used too."""
        if self.stratified or not isinstance(self.critical, OneLook):
            return False
        return exact_test.applies(self.table, self.phi)

    @property
    def error(self) -> float:
        """The standard error of the difference."""
        p, table = self.table.pooled, self.effective
        return sqrt(p * (1 - p) * (1 / table.n1 + 1 / table.n0))

    @property
    def worse_without_incidents(self) -> bool:
        """Whether the candidate stays worse if the baseline had more incidents like its worst."""
        return self.table.estimate > self.more_baseline

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits of the mean difference, each at ``alpha``.

        The lower limit is above 0 only if the test of the mean, which may be the exact one, agrees.
        """
        critical_value = self.critical.critical_value(alpha, self.inflation.df)
        lower, upper = score_interval.interval(self.effective, critical_value)
        return (min(lower, 0.0) if self.p_mean() > alpha else lower), upper

    def p_mean(self) -> float:
        """Return the p-value of "the candidate's mean is no worse", whatever the number of blocks."""
        if self.exact:
            return exact_test.p_worse(self.table)
        return self.critical.p_value(score_interval.statistic(self.effective, 0.0), self.inflation.df)

    def p_worse(self, *, enough: bool, margin: float = 0.0) -> float:
        """Return the p-value of "the candidate is no worse".

        ``enough`` says whether there are enough blocks to judge the mean. If a typical block can be judged
        too, it counts fully and the mean counts half. It is 0 for a break that exceeds the ``margin``.
        """
        if self.breaks is not None and self.table.estimate > margin:
            return 0.0
        if not self.critical.decides or not self.worse_without_incidents:
            return 1.0
        mean = self.p_mean() if enough and self.settled else 1.0
        if self.typical is None:
            return mean
        return min(1.0, 2 * mean, self.typical.p_worse(self.critical))

    def p_above(self, delta: float) -> float:
        """Return the p-value of "the mean difference is at most ``delta``"."""
        if not self.critical.decides or not self.settled:
            return 1.0
        return self.critical.p_value(score_interval.statistic(self.effective, delta), self.inflation.df)

    def p_beyond(self, margin: float) -> float:
        """Return the p-value of "the candidate is worse by ``margin`` or more". Small: within the margin.

        1 if it is too early, if the ratios drift, or if the candidate would be beyond the margin with more
        incidents like its worst.
        """
        if not self.critical.decides or not self.settled:
            return 1.0
        if self.table.estimate + self.more_candidate > margin:
            return 1.0
        return self.critical.p_value(-score_interval.statistic(self.effective, margin), self.inflation.df)


def error_ratio_effect(
    candidate: Counts, baseline: Counts, critical: CriticalValues = ONE_LOOK, *, stratified: bool = False
) -> RatioEffect:
    """Estimate the difference, and its variance from the blocks.

    ``u_b = (x1b - p1 n1b)/N1 - (x0b - p0 n0b)/N0``; ``V = k B/(B - 1) sum u_b^2``. Pairing the variants in
    each block cancels incidents that affect both. ``phi = max(1, V / [p (1 - p) (1/N0 + 1/N1)])``. Counts
    that are ``stratified`` have no typical block and no exact test.
    """
    pair = (candidate.errors, candidate.requests), (baseline.errors, baseline.requests)
    counts = (*pair[0], *pair[1])
    full = fullness(candidate.requests + baseline.requests) if stratified else 1.0
    merged, inflation = merge_correlated_blocks(counts, merge_neighbors, _differences, full)
    logs = None if stratified else log_ratios(*pair)
    many = has_many_errors(candidate.errors, baseline.errors)
    drift, settled = _drift(logs, strict=many or not critical.last)
    more_candidate, more_baseline = allowances(*pair)
    table = ContingencyTable(*(float(each.sum()) for each in counts))
    return RatioEffect(
        table=table,
        phi=overdispersion(inflation.k * variance_of_sum(_differences(merged)), table),
        inflation=inflation,
        critical=critical,
        typical=logs.typical_block() if logs and not drift else None,
        settled=settled,
        more_candidate=more_candidate,
        more_baseline=more_baseline,
        breaks=error_break(*pair, critical),
        stratified=stratified,
    )


def _drift(logs: LogRatios | None, *, strict: bool) -> tuple[bool, bool]:
    """Return whether the ratios drift, and whether their difference does not."""
    if logs is None:
        return False, True
    evidence = STRICT_EVIDENCE if strict else EVIDENCE
    drift = logs.drift(evidence)
    return drift, not drift or not logs.differences_drift(evidence)


def _differences(tables: tuple[Array, ...]) -> Array:
    """Return what each block adds to the difference of the two ratios."""
    x1, n1, x0, n0 = tables
    return residuals(x1, n1) - residuals(x0, n0)


def residuals(x: Array, n: Array) -> Array:
    """Return each block's errors less the number expected from its requests, divided by all requests."""
    centered: Array = (x - x.sum() / n.sum() * n) / n.sum()
    return centered


def variance_of_sum(values: Array) -> float:
    """Return the variance of a sum of independent values with mean 0: ``B/(B - 1) sum u_b^2``."""
    blocks = len(values)
    return float(blocks / (blocks - 1) * np.sum(values**2)) if blocks > 1 else 0.0


def overdispersion(variance: float, table: ContingencyTable) -> float:
    """Return how many times more the difference varies than that of binomial counts; at least 1."""
    p = table.pooled
    binomial = p * (1 - p) * (1 / table.n0 + 1 / table.n1)
    return max(1.0, variance / binomial) if binomial > 0 else 1.0
