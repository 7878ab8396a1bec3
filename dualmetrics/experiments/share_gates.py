"""Gates on a share: errors among requests, slow requests, failed orders."""

from __future__ import annotations

from collections.abc import Iterator

from dualmetrics.experiments.gates import Aim, Gate, Rules, block_notes, goal_need, incident_notes
from dualmetrics.experiments.statistics.error_ratio import Counts, RatioEffect, error_ratio_effect


def share_gate(name: str, baseline: Counts, candidate: Counts, aim: Aim, rules: Rules) -> Gate:
    """Judge a share. If higher is better, what is missing to the whole is judged."""
    worse = (baseline.rest, candidate.rest) if aim.up_good else (baseline, candidate)
    effect = error_ratio_effect(worse[1], worse[0], rules.critical, stratified=rules.stratified)
    enough = effect.inflation.enough or (rules.margins.assume_iid and effect.inflation.blocks == 1)
    limits = effect.interval(rules.alpha) if enough else (-1.0, 1.0)
    lower, upper = sorted(aim.sign * limit for limit in limits)
    p_beyond = effect.p_beyond(aim.limit) if enough else 1.0
    return Gate(
        name=name,
        unit="difference",
        margin=aim.margin,
        baseline=baseline.ratio,
        candidate=candidate.ratio,
        effect=aim.sign * effect.table.estimate,
        lower=lower,
        upper=upper,
        p_worse=_p_worse(effect, aim, enough=enough),
        p_beyond=p_beyond,
        within=p_beyond <= rules.alpha,
        need=goal_need(effect.error, effect.table.estimate, aim.limit, rules.alpha),
        note="; ".join([_counted(baseline, candidate, rules), *_notes(effect, aim)]),
        quantity="share",
        up_good=aim.up_good,
        goal=aim.goal,
    )


def _counted(baseline: Counts, candidate: Counts, rules: Rules) -> str:
    parts = [f"{each.errors.sum():.0f} of {each.requests.sum():.0f}" for each in (baseline, candidate)]
    return ("weighted by stratum: " if rules.stratified else "") + " against ".join(parts)


def _p_worse(effect: RatioEffect, aim: Aim, *, enough: bool) -> float:
    if aim.limit < 0:
        return effect.p_above(aim.limit) if enough else 1.0
    return effect.p_worse(enough=enough, margin=aim.limit)


def _notes(effect: RatioEffect, aim: Aim) -> Iterator[str]:
    if effect.phi > 1.005:
        yield f"varies {effect.phi:.2g} times as much as by chance"
    if effect.exact:
        yield "few errors: exact test"
    what = "the rest" if aim.up_good else "it"
    if effect.typical is not None:
        yield f"in a typical block {what} is {effect.typical.factor:.3g} times that of the baseline"
    if effect.breaks is not None:
        yield f"{what} is {effect.breaks:.3g} times as high as in the baseline's worst tenth of the time"
    yield from incident_notes(effect.table.estimate, aim.limit, effect.more_candidate, effect.more_baseline)
    yield from block_notes(effect.inflation)
