"""Gates on a factor: of a quantile, of a rate such as the mean of a histogram, and of a level like memory."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, inf, log, nan, sqrt

from dualmetrics.experiments.gates import Aim, Gate, Rules, block_notes, goal_need, incident_notes
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.latency import Latencies, LatencyEffect, latency_effect
from dualmetrics.experiments.statistics.levels import level_effect
from dualmetrics.experiments.statistics.power import Need
from dualmetrics.experiments.statistics.rate_ratio import Amounts, RateEffect, rate_effect

UNKNOWN = Need(inf, inf)


def quantile_gate(
    name: str, q: float, baseline: Latencies, candidate: Latencies, aim: Aim, rules: Rules, quantity: str
) -> Gate:
    """Judge the factor by which the ``q`` quantile of a histogram differs."""
    up, strata = aim.up_good, rules.stratified
    effect = latency_effect(candidate, baseline, q, rules.critical, up_good=up, stratified=strata)
    enough = effect.tail is not None and effect.tail.inflation.enough
    worse, limit = expm1(aim.log_limit), aim.log_limit
    p_beyond = effect.p_beyond(worse) if enough else 1.0
    values = effect.values[::-1] if up else effect.values
    lower, upper = _factor_limits(effect, aim, rules.alpha) if enough else (0.0, inf)
    return Gate(
        name=name,
        unit="factor",
        margin=aim.margin,
        baseline=values[0],
        candidate=values[1],
        effect=values[1] / values[0] if effect.identified else nan,
        lower=lower,
        upper=upper,
        p_worse=effect.p_above(limit, enough=enough) if limit < 0 else effect.p_worse(enough=enough),
        p_beyond=p_beyond,
        within=p_beyond <= rules.alpha,
        need=_quantile_need(effect, limit, rules.alpha),
        note="; ".join(_quantile_notes(effect, baseline.bounds, worse)),
        remedy=_remedy(effect, baseline.bounds, worse, quantity),
        quantity=quantity,
        up_good=aim.up_good,
        goal=aim.goal,
    )


def _factor_limits(effect: LatencyEffect, aim: Aim, alpha: float) -> tuple[float, float]:
    """Return the limits of candidate / baseline, whichever of them is worse if it is higher."""
    lower, upper = effect.interval(alpha)
    return (1 / upper, 1 / lower if lower > 0 else inf) if aim.up_good else (lower, upper)


def _quantile_need(effect: LatencyEffect, limit: float, alpha: float) -> Need:
    """If the buckets are too wide for the margin, more time does not help, and only larger moves are seen."""
    if effect.tail is None:
        return UNKNOWN
    need = goal_need(effect.tail.error, effect.tail.estimate, limit, alpha)
    if effect.bounds_allow(expm1(limit)):
        return need
    most = effect.hard_bounds[1]
    return Need(inf, max(need.visible, log(most)) if most > 0 else inf)


def _quantile_notes(effect: LatencyEffect, bounds: Array, margin: float) -> Iterator[str]:
    if effect.breaks is not None:
        yield f"at least {effect.breaks:.3g} times as bad as in the baseline's worst tenth of the time"
    if effect.tail is None:
        yield f"unknown: above the highest bucket bound {bounds[-1]:g}"
        return
    (low0, high0), (low1, high1) = effect.baseline, effect.candidate
    least, most = effect.hard_bounds
    yield (
        f"the baseline is in the bucket from {low0:g} to {high0:g}, the candidate in that from {low1:g} to "
        f"{high1:g}, so the factor is surely between {least:.3g} and {most:.3g}"
    )
    if not effect.bounds_allow(margin) and effect.slower is None:
        yield f"these buckets are too wide to see a change of {abs(margin):.0%}"
    yield from block_notes(effect.tail.inflation)


def _remedy(effect: LatencyEffect, bounds: Array, margin: float, quantity: str) -> str:
    """Return which bucket bounds would help, or which share could be judged instead."""
    if effect.tail is None:
        return f"a bucket bound above {bounds[-1]:g} would help"
    if effect.bounds_allow(margin) or effect.slower is not None:
        return ""
    option = "--slo" if quantity == "duration" else "above="
    instead = f"or {option} with the bound {effect.baseline[1]:g}"
    if margin == 0:
        return f"a bucket bound at {sqrt(effect.values[0] * effect.values[1]):.3g} may help, {instead}"
    below, above = sorted(effect.helpful_bounds(margin))
    return f"bucket bounds at {below:.3g} and {above:.3g} would help, {instead}"


def rate_gate(
    name: str, baseline: Amounts, candidate: Amounts, aim: Aim, rules: Rules, fails_beyond: float = 0.0
) -> Gate:
    """Judge the factor of an amount for each unit.

    A guard rail fails if it is surely worse by more than the factor whose logarithm is ``fails_beyond``.
    """
    stratified, limit = rules.stratified, aim.log_limit
    effect = rate_effect(
        candidate, baseline, up_good=aim.up_good, critical=rules.critical, stratified=stratified
    )
    lower, upper = effect.interval(rules.alpha)
    p_beyond = effect.p_beyond(limit)
    return Gate(
        name=name,
        unit="factor",
        margin=aim.margin,
        baseline=effect.rates[0],
        candidate=effect.rates[1],
        effect=effect.rates[1] / effect.rates[0] if effect.rates[0] else nan,
        lower=lower,
        upper=upper,
        p_worse=effect.p_worse(min(limit, fails_beyond), limit),
        p_beyond=p_beyond,
        within=p_beyond <= rules.alpha,
        need=_rate_need(effect, limit, rules.alpha),
        note="; ".join(_rate_notes(effect, baseline, candidate, limit)),
        up_good=aim.up_good,
        goal=aim.goal,
    )


def _rate_need(effect: RateEffect, limit: float, alpha: float) -> Need:
    if effect.ratio is None:
        return UNKNOWN
    return goal_need(effect.ratio.error, effect.ratio.estimate, limit, alpha)


def _rate_notes(effect: RateEffect, baseline: Amounts, candidate: Amounts, limit: float) -> Iterator[str]:
    amounts = [f"{each.amount.sum():.6g} for {each.units.sum():.6g}" for each in (baseline, candidate)]
    yield " against ".join(amounts)
    if effect.breaks is not None:
        yield f"{effect.breaks:.3g} times as bad as in the baseline's worst tenth of the time"
    if effect.ratio is None:
        yield "a factor needs an amount above 0 in both"
        return
    if effect.typical is not None:
        yield f"in a typical block {effect.typical.factor**effect.sign:.3g} times that of the baseline"
    yield from incident_notes(effect.ratio.estimate, limit, effect.more_candidate, effect.more_baseline)
    yield from block_notes(effect.ratio.inflation)


def level_gate(name: str, baseline: Array, candidate: Array, aim: Aim, rules: Rules) -> Gate:
    """Judge the factor of a level in every tenth of the window."""
    effect = level_effect(candidate, baseline, rules.critical)
    if effect is None:
        note = f"each of {MIN_BLOCKS} blocks of time needs a sample; there are {len(baseline)} blocks"
        return Gate(name, "factor", aim.margin, nan, nan, nan, 0.0, inf, 1.0, 1.0, False, UNKNOWN, note)
    within = effect.within(aim.margin)
    return Gate(
        name=name,
        unit="factor",
        margin=aim.margin,
        baseline=effect.levels[0],
        candidate=effect.levels[1],
        effect=effect.factor,
        lower=effect.least,
        upper=effect.most,
        p_worse=0.0 if effect.beyond(aim.margin) else 1.0,
        p_beyond=0.0 if within else 1.0,
        within=within,
        need=Need(1.0 if within else inf, log(max(effect.most, 1.0))),
        note=f"between {effect.least:.3g} and {effect.most:.3g} times the baseline in each tenth of the time",
    )
