"""How much higher the candidate's share of errors is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from dualmetrics.experiments.statistics import exact_test, score_interval
from dualmetrics.experiments.statistics.arrays import Array, merge_neighbors
from dualmetrics.experiments.statistics.autocorrelation import Inflation, merge_correlated_blocks
from dualmetrics.experiments.statistics.critical import CriticalValues, OneLook
from dualmetrics.experiments.statistics.score_interval import ContingencyTable

ONE_LOOK = OneLook()


@dataclass(frozen=True)
class Counts:
    """Errors and requests of one variant, a value a block."""

    errors: Array
    requests: Array

    @property
    def ratio(self) -> float:
        """The share of errors over all blocks."""
        return float(self.errors.sum() / self.requests.sum())


@dataclass(frozen=True)
class RatioEffect:
    """What is known of ``p1 - p0``: a table of effective counts, and the degrees of freedom behind it."""

    table: ContingencyTable
    phi: float
    inflation: Inflation
    critical: CriticalValues = ONE_LOOK

    @property
    def effective(self) -> ContingencyTable:
        """The table of as many independent requests as tell as much."""
        return self.table.divided_by(self.phi)

    @property
    def exact(self) -> bool:
        """Whether the errors are so few that the exact test is asked too."""
        return isinstance(self.critical, OneLook) and exact_test.applies(self.table, self.phi)

    @property
    def error(self) -> float:
        """The standard error of the difference."""
        p, table = self.table.pooled, self.effective
        return sqrt(p * (1 - p) * (1 / table.n1 + 1 / table.n0))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The one-sided limits at ``alpha`` each; the lower not above 0 if the exact test does not say so."""
        lower, upper = score_interval.interval(self.effective, self.critical.critical_value(alpha, self.inflation.df))
        return (min(lower, 0.0) if self.p_worse() > alpha else lower), upper

    def p_worse(self) -> float:
        """The p-value of "the candidate is no worse"."""
        if self.exact:
            return exact_test.p_worse(self.table)
        return self.critical.p_value(score_interval.statistic(self.effective, 0.0), self.inflation.df)

    def p_beyond(self, margin: float) -> float:
        """The p-value of "the candidate is worse by ``margin`` or more"; small means: within the margin."""
        return self.critical.p_value(-score_interval.statistic(self.effective, margin), self.inflation.df)


def error_ratio_effect(
    candidate: Counts, baseline: Counts, critical: CriticalValues = ONE_LOOK
) -> RatioEffect:
    """The effect, with what blocks tell of its variance.

    ``u_b = (x1b - p1 n1b)/N1 - (x0b - p0 n0b)/N0``; ``V = k B/(B - 1) sum u_b^2``: pairing the variants in
    a block cancels incidents that both shared. ``phi = max(1, V / [p (1 - p) (1/N0 + 1/N1)])``.
    """
    counts = (candidate.errors, candidate.requests, baseline.errors, baseline.requests)
    table = ContingencyTable(*(float(each.sum()) for each in counts))
    tables, inflation = merge_correlated_blocks(counts, merge_neighbors, _differences)
    variance = inflation.k * variance_of_sum(_differences(tables))
    return RatioEffect(table, overdispersion(variance, table), inflation, critical)


def _differences(tables: tuple[Array, ...]) -> Array:
    return block_differences(*tables)


def block_differences(x1: Array, n1: Array, x0: Array, n0: Array) -> Array:
    """What each block adds to the difference of the two ratios."""
    return residuals(x1, n1) - residuals(x0, n0)


def residuals(x: Array, n: Array) -> Array:
    """How far each block's errors are from its share of all errors, as a part of all requests."""
    centred: Array = (x - x.sum() / n.sum() * n) / n.sum()
    return centred


def variance_of_sum(values: Array) -> float:
    """Of independent values with mean 0: ``B/(B - 1) sum u_b^2``."""
    blocks = len(values)
    return float(blocks / (blocks - 1) * np.sum(values**2)) if blocks > 1 else 0.0


def overdispersion(variance: float, table: ContingencyTable) -> float:
    """How much more than binomial counts the difference varies; at least 1."""
    p = table.pooled
    binomial = p * (1 - p) * (1 / table.n0 + 1 / table.n1)
    return max(1.0, variance / binomial) if binomial > 0 else 1.0
