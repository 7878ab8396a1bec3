"""The factor between two rates: an amount for each unit, such as the mean of a histogram."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log1p

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import fullness
from dualmetrics.experiments.statistics.breaks import PARTS, beyond_worst, in_parts
from dualmetrics.experiments.statistics.critical import ONE_LOOK, CriticalValues
from dualmetrics.experiments.statistics.incidents import MORE_INCIDENTS, worst_run
from dualmetrics.experiments.statistics.log_ratio import LogRatio, estimate_log_ratio
from dualmetrics.experiments.statistics.typical_block import (
    MIN_TYPICAL_BLOCKS,
    STRICT_EVIDENCE,
    LogRatios,
    TypicalBlock,
)

MIN_RATE_FACTOR_OF_LOOKS = 2.0
"""Before the last look a break must be at least so large."""
MAD_DEVIATIONS = 1.4826
"""The standard deviation of a normal distribution in median absolute deviations."""


@dataclass(frozen=True)
class Amounts:
    """How much of something there was in each block, and for how many units."""

    amount: Array
    units: Array

    @property
    def rate(self) -> float:
        """The amount for each unit, over all blocks."""
        return float(self.amount.sum() / self.units.sum())

    @property
    def has_logarithms(self) -> bool:
        """Whether the rate of each block has a logarithm: it needs units, and an amount above 0."""
        return bool((self.units > 0).all() and (self.amount > 0).all())

    def worst_incident(self, sign: float) -> float:
        """Return by which part of the amount the worst three neighboring blocks are off; 0 for chance."""
        excess = sign * (self.amount - self.rate * self.units)
        deviation = MAD_DEVIATIONS * float(np.median(np.abs(excess - np.median(excess))))
        return worst_run(excess, np.full(len(excess), deviation or float(excess.std()))) / float(
            self.amount.sum()
        )


@dataclass(frozen=True)
class RateEffect:
    """How much worse the candidate's rate is, as a logarithm. ``sign`` is -1 if a higher rate is better."""

    rates: tuple[float, float]
    """Those of baseline and candidate."""
    sign: float
    ratio: LogRatio | None
    """The logarithm of the factor by which the candidate is worse. None if a rate is 0."""
    typical: TypicalBlock | None = None
    settled: bool = True
    """Whether the difference varies fast enough that the window shows how much it varies."""
    more_candidate: float = 0.0
    more_baseline: float = 0.0
    breaks: float | None = None
    """By which factor the candidate is worse than the baseline's worst tenth of the window."""

    @property
    def enough(self) -> bool:
        """Whether there are enough blocks, and independent enough, for a judgment."""
        return self.ratio is not None and self.ratio.inflation.enough

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided limits of the factor candidate / baseline, each at ``alpha``."""
        if self.ratio is None or not self.enough:
            return 0.0, float("inf")
        limits = sorted(self.sign * limit for limit in self.ratio.interval(alpha))
        return exp(max(limits[0], -700.0)), exp(min(limits[1], 700.0))

    def p_worse(self, limit: float, margin: float) -> float:
        """Return the p-value of "worse by at most ``limit``". It is 0 for a break beyond the ``margin``.

        Both are logarithms.
        """
        if self.breaks is not None and (self.ratio is None or self.ratio.estimate > margin):
            return 0.0
        if self.ratio is None:
            return 1.0
        if not self.ratio.critical.decides or self.ratio.estimate - self.more_baseline <= limit:
            return 1.0
        mean = self.ratio.p_above(limit) if self.enough and self.settled else 1.0
        if self.typical is None:
            return mean
        return min(1.0, 2 * mean, self.typical.p_worse(self.ratio.critical, limit))

    def p_beyond(self, limit: float) -> float:
        """Return the p-value of "worse by at least ``limit``", a logarithm."""
        if self.ratio is None or not self.enough or not self.settled or not self.ratio.critical.decides:
            return 1.0
        if self.ratio.estimate + self.more_candidate > limit:
            return 1.0
        return self.ratio.p_below(limit)


def rate_effect(
    candidate: Amounts,
    baseline: Amounts,
    *,
    up_good: bool = False,
    critical: CriticalValues = ONE_LOOK,
    stratified: bool = False,
) -> RateEffect:
    """Estimate the effect. The tests are those of error ratios, on the logarithms of the rates.

    If the amounts are ``stratified``, there is no typical block.
    """
    sign = -1.0 if up_good else 1.0
    tables = candidate.amount, candidate.units, baseline.amount, baseline.units
    if not all(table.sum() > 0 for table in tables):
        return RateEffect(
            (baseline.rate, candidate.rate), sign, None, breaks=_vanished(candidate, baseline, sign)
        )
    worst1, worst0 = candidate.worst_incident(sign), baseline.worst_incident(sign)
    full = fullness(candidate.units + baseline.units) if stratified else 1.0
    effect = RateEffect(
        rates=(baseline.rate, candidate.rate),
        sign=sign,
        ratio=estimate_log_ratio(tables, lambda sums: _ordered(sums, sign), critical, full),
        more_candidate=log1p(MORE_INCIDENTS * max(0.0, worst1 - worst0)),
        more_baseline=log1p(MORE_INCIDENTS * max(0.0, worst0 - worst1)),
        breaks=_break(candidate, baseline, sign, critical),
    )
    return effect if stratified else _with_logarithms(effect, candidate, baseline)


def _vanished(candidate: Amounts, baseline: Amounts, sign: float) -> float | None:
    """Return infinity if the candidate has nothing of what the baseline has in each tenth of the window."""
    if sign > 0 or len(baseline.amount) < PARTS or candidate.amount.sum() > 0:
        return None
    return float("inf") if (in_parts(baseline.amount) > 0).all() else None


def _ordered(sums: tuple[Array, ...], sign: float) -> tuple[Array, Array]:
    """Return the two rates in the order in which their ratio is above 1 if the candidate is worse."""
    candidate, baseline = _divided(sums[0], sums[1]), _divided(sums[2], sums[3])
    return (candidate, baseline) if sign > 0 else (baseline, candidate)


def _divided(amount: Array, units: Array) -> Array:
    """Divide. Without units the result is NaN."""
    return np.asarray(amount / np.where(units > 0, units, np.nan))


def _with_logarithms(effect: RateEffect, candidate: Amounts, baseline: Amounts) -> RateEffect:
    """Add the test of a typical block, and whether the series drift, if every block has a logarithm."""
    pair = candidate, baseline
    if len(candidate.amount) < MIN_TYPICAL_BLOCKS or not all(each.has_logarithms for each in pair):
        return effect
    logs = LogRatios(*(effect.sign * np.log(each.amount / each.units) for each in pair))
    drift = logs.drift(STRICT_EVIDENCE)
    return replace(
        effect,
        typical=None if drift else logs.typical_block(),
        settled=not drift or not logs.differences_drift(STRICT_EVIDENCE),
    )


def _break(candidate: Amounts, baseline: Amounts, sign: float, critical: CriticalValues) -> float | None:
    if len(candidate.amount) < PARTS:
        return None
    amounts, units = in_parts(baseline.amount), in_parts(baseline.units)
    parts = (amounts[units > 0] / units[units > 0]) ** sign
    least = 1.0 if critical.last else MIN_RATE_FACTOR_OF_LOOKS
    return beyond_worst(candidate.rate**sign, float(parts.max()), parts, least)
