"""What a candidate must not make worse: the error ratio, the latency, the share of slow requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log, nan
from typing import NamedTuple

from dualmetrics.experiments.block_counts import BlockCounts
from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS, Inflation
from dualmetrics.experiments.statistics.critical import CriticalValues
from dualmetrics.experiments.statistics.error_ratio import RatioEffect, error_ratio_effect
from dualmetrics.experiments.statistics.latency import LatencyEffect, latency_effect
from dualmetrics.experiments.statistics.power import Need, estimate_need


class Margins(NamedTuple):
    """How much worse the candidate may be, and the risk of a wrong decision."""

    errors: float = 0.001
    """The margin of the error ratio. .001 is a tenth of a percentage point."""
    latency: float = 0.10
    """The margin of a quantile. .10 is ten percent slower."""
    slow: float = 0.005
    """The margin of the share of requests that are slower than a threshold."""
    alpha: float = 0.05
    """The one-sided risk of each limit."""
    assume_iid: bool = False
    """Whether to judge error ratios without blocks, as if requests failed independently of each other."""


@dataclass(frozen=True)
class Gate:
    """One comparison and its result.

    ``unit`` is "difference" or "factor": what ``effect``, its one-sided limits ``lower`` and ``upper``, and
    ``margin`` are. ``p_worse`` is the p-value of "the candidate is no worse"; ``within`` says whether the
    effect is surely smaller than the margin.
    """

    name: str
    unit: str
    margin: float
    baseline: float
    candidate: float
    effect: float
    lower: float
    upper: float
    p_worse: float
    within: bool
    need: Need
    note: str = ""

    @property
    def none(self) -> float:
        """The value of ``effect`` if the variants do not differ: 0 for a difference, 1 for a factor."""
        return 0.0 if self.unit == "difference" else 1.0

    @property
    def limit(self) -> float:
        """The largest effect that is tolerated."""
        return self.none + self.margin


def error_gate(
    name: str, baseline: BlockCounts, candidate: BlockCounts, margins: Margins, critical: CriticalValues
) -> Gate:
    """Judge the share of errors."""
    effect = error_ratio_effect(candidate.error_counts, baseline.error_counts, critical)
    return _ratio_gate(name, effect, margins.errors, margins)


def slow_gate(
    threshold: float,
    title: str,
    bounds: Array,
    pair: tuple[BlockCounts, BlockCounts],
    margins: Margins,
    critical: CriticalValues,
) -> Gate:
    """Judge the share of requests slower than ``threshold``, in the unit of the metric.

    Raises `UsageError` if the threshold is not a bucket bound.
    """
    if not any(abs(bounds - threshold) <= 1e-9 * threshold):
        available = ", ".join(f"{bound:g}" for bound in bounds)
        raise UsageError(
            f"--slo {title} is not a bucket bound; the bounds are {available} (in the metric's unit)."
        )
    baseline, candidate = (counts.latencies(bounds).slower_than(threshold) for counts in pair)
    effect = error_ratio_effect(candidate, baseline, critical)
    return _ratio_gate(f"slower than {title}", effect, margins.slow, margins)


def latency_gate(
    q: float,
    bounds: Array,
    pair: tuple[BlockCounts, BlockCounts],
    margins: Margins,
    critical: CriticalValues,
) -> Gate:
    """Judge the factor by which the ``q`` quantile of the latency is higher."""
    baseline, candidate = (counts.latencies(bounds) for counts in pair)
    effect = latency_effect(candidate, baseline, q, critical)
    enough = effect.tail is not None and effect.tail.inflation.enough
    lower, upper = effect.interval(margins.alpha) if enough else (0.0, inf)
    return Gate(
        name=f"p{q * 100:g}",
        unit="factor",
        margin=margins.latency,
        baseline=effect.values[0],
        candidate=effect.values[1],
        effect=effect.values[1] / effect.values[0] if effect.identified else nan,
        lower=lower,
        upper=upper,
        p_worse=effect.p_worse(enough=enough),
        within=enough and effect.p_beyond(margins.latency) <= margins.alpha,
        need=_latency_need(effect, margins),
        note="; ".join(_latency_notes(effect, bounds, margins.latency)),
    )


def _latency_need(effect: LatencyEffect, margins: Margins) -> Need:
    """If the buckets are too wide for the margin, more time does not help, and only larger moves are seen."""
    if effect.tail is None:
        return Need(inf, inf)
    need = estimate_need(log(1 + margins.latency), effect.tail.error, margins.alpha)
    if effect.bounds_allow(margins.latency):
        return need
    most = effect.hard_bounds[1]
    return Need(inf, max(need.visible, log(most)) if most > 0 else inf)


def _ratio_gate(name: str, effect: RatioEffect, margin: float, margins: Margins) -> Gate:
    table = effect.table
    enough = effect.inflation.enough or (margins.assume_iid and effect.inflation.blocks == 1)
    lower, upper = effect.interval(margins.alpha) if enough else (-1.0, 1.0)
    return Gate(
        name=name,
        unit="difference",
        margin=margin,
        baseline=table.x0 / table.n0,
        candidate=table.x1 / table.n1,
        effect=table.estimate,
        lower=lower,
        upper=upper,
        p_worse=effect.p_worse(enough=enough, margin=margin),
        within=enough and effect.p_beyond(margin) <= margins.alpha,
        need=estimate_need(margin, effect.error, margins.alpha),
        note="; ".join(_ratio_notes(effect, margin)),
    )


def _ratio_notes(effect: RatioEffect, margin: float) -> Iterator[str]:
    table = effect.table
    yield f"{table.x0:.0f} of {table.n0:.0f} against {table.x1:.0f} of {table.n1:.0f}"
    if effect.phi > 1.005:
        yield f"varies {effect.phi:.2g} times as much as by chance"
    if effect.exact:
        yield "few errors: exact test"
    if effect.typical is not None:
        yield f"in a typical block it is {effect.typical.factor:.3g} times that of the baseline"
    if effect.breaks is not None:
        yield f"it is {effect.breaks:.3g} times as high as in the baseline's worst tenth of the time"
    if effect.table.estimate <= margin < effect.table.estimate + effect.more_candidate:
        yield "a few blocks decide: more incidents like the candidate's worst would exceed the margin"
    if 0 < effect.table.estimate <= effect.more_baseline:
        yield "a few blocks decide: with more incidents like its worst, the baseline would be as bad"
    yield from _block_notes(effect.inflation)


def _latency_notes(effect: LatencyEffect, bounds: Array, margin: float) -> Iterator[str]:
    if effect.breaks is not None:
        yield f"at least {effect.breaks:.3g} times as high as in the baseline's worst tenth of the time"
    if effect.tail is None:
        yield f"unknown: above the highest bucket bound {bounds[-1]:g}"
        return
    (low0, high0), (low1, high1) = effect.baseline, effect.candidate
    least, most = effect.hard_bounds
    yield f"buckets ({low0:g}, {high0:g}] and ({low1:g}, {high1:g}], factor in [{least:.3g}, {most:.3g}]"
    if not effect.bounds_allow(margin) and effect.slower is None:
        below, above = effect.helpful_bounds(margin)
        yield (
            f"these buckets are too wide to see a change of {margin:.0%}: bucket bounds at {below:.3g} and "
            f"{above:.3g} would help, or --slo"
        )
    yield from _block_notes(effect.tail.inflation)


def _block_notes(inflation: Inflation) -> list[str]:
    if inflation.blocks < MIN_BLOCKS:
        return [f"only {inflation.blocks} of the {MIN_BLOCKS} blocks of time that are needed"]
    return [] if inflation.enough else ["neighboring blocks are too similar: a longer window is needed"]


def longest_need(gates: Sequence[Gate]) -> float:
    """Return how many times longer the window must be for every gate to pass, if there is no difference."""
    return max((gate.need.times for gate in gates if not gate.within), default=1.0)
