"""What a candidate must not make worse: error ratio, latency, slow requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import NamedTuple

from dualmetrics.experiments.block_counts import BlockCounts
from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.statistics import error_ratio, latency
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS, Inflation
from dualmetrics.experiments.statistics.critical import CriticalValues
from dualmetrics.experiments.statistics.power import Need, estimate_need


class Margins(NamedTuple):
    """How much worse is no matter, and at which risk of an error."""

    errors: float = 0.001
    """Of the error ratio: .001 is a tenth of a percentage point."""
    latency: float = 0.10
    """Of a quantile: .10 is ten percent slower."""
    slow: float = 0.005
    """Of the share of requests slower than a threshold."""
    alpha: float = 0.05
    """One-sided, of each limit."""
    assume_iid: bool = False
    """Judge error ratios without blocks, as if requests failed independently of each other."""


@dataclass(frozen=True)
class Gate:
    """One question and its answer. ``unit`` says how to read the numbers: a difference, or a factor."""

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
        """The effect that is none."""
        return 0.0 if self.unit == "difference" else 1.0

    @property
    def limit(self) -> float:
        """The largest effect that is tolerated."""
        return self.none + self.margin


def error_gate(
    name: str, baseline: BlockCounts, candidate: BlockCounts, margins: Margins, critical: CriticalValues
) -> Gate:
    """The share of errors."""
    return _share(
        name,
        error_ratio.error_ratio_effect(candidate.error_counts, baseline.error_counts, critical),
        margins.errors,
        margins,
    )


def slow_gate(
    threshold: float,
    named: str,
    bounds: Array,
    tallies: tuple[BlockCounts, BlockCounts],
    margins: Margins,
    critical: CriticalValues,
) -> Gate:
    """The share of requests slower than a threshold, which must be a bucket's bound."""
    if not any(abs(bounds - threshold) <= 1e-9 * threshold):
        known = ", ".join(f"{bound:g}" for bound in bounds)
        raise UsageError(f"--slo {named} is no bucket bound; the bounds are {known} (in the metric's unit).")
    baseline, candidate = (each.slower_than(bounds, threshold) for each in tallies)
    return _share(
        f"slower than {named}",
        error_ratio.error_ratio_effect(candidate, baseline, critical),
        margins.slow,
        margins,
    )


def latency_gate(
    q: float,
    bounds: Array,
    tallies: tuple[BlockCounts, BlockCounts],
    margins: Margins,
    critical: CriticalValues,
) -> Gate:
    """A quantile's factor."""
    baseline, candidate = (each.latencies(bounds) for each in tallies)
    found = latency.latency_effect(candidate, baseline, q, critical)
    enough = found.tail is not None and found.tail.inflation.enough
    lower, upper = found.interval(margins.alpha) if enough else (0.0, inf)
    return Gate(
        f"p{q * 100:g}",
        "factor",
        margins.latency,
        *found.values,
        found.values[1] / found.values[0] if found.identified else float("nan"),
        lower,
        upper,
        found.p_worse() if enough else 1.0,
        enough and found.p_beyond(margins.latency) <= margins.alpha,
        estimate_need(log(1 + margins.latency), found.tail.error, margins.alpha)
        if found.tail
        else Need(inf, inf),
        _latency_note(found, bounds),
    )


def _share(name: str, found: error_ratio.RatioEffect, margin: float, margins: Margins) -> Gate:
    table = found.table
    enough = found.inflation.enough or (margins.assume_iid and found.inflation.blocks == 1)
    lower, upper = found.interval(margins.alpha) if enough else (-1.0, 1.0)
    return Gate(
        name,
        "difference",
        margin,
        table.x0 / table.n0,
        table.x1 / table.n1,
        table.estimate,
        lower,
        upper,
        found.p_worse() if enough else 1.0,
        enough and found.p_beyond(margin) <= margins.alpha,
        estimate_need(margin, found.error, margins.alpha),
        _share_note(found),
    )


def _share_note(found: error_ratio.RatioEffect) -> str:
    table = found.table
    notes = [f"{table.x0:.0f} of {table.n0:.0f} against {table.x1:.0f} of {table.n1:.0f}"]
    if found.phi > 1.005:
        notes.append(f"varies {found.phi:.2g} times as much as by chance")
    if found.exact:
        notes.append("few errors: exact test")
    return "; ".join(notes + _few(found.inflation))


def _latency_note(found: latency.LatencyEffect, bounds: Array) -> str:
    if found.tail is None:
        return f"above the highest bucket bound {bounds[-1]:g}: unidentified"
    (low0, high0), (low1, high1), (least, most) = found.baseline, found.candidate, found.hard_bounds
    buckets = f"buckets ({low0:g}, {high0:g}] and ({low1:g}, {high1:g}], factor in [{least:.3g}, {most:.3g}]"
    return "; ".join([buckets, *_few(found.tail.inflation)])


def _few(inflation: Inflation) -> list[str]:
    if inflation.blocks < MIN_BLOCKS:
        return [f"{inflation.blocks} blocks of time, {MIN_BLOCKS} are needed"]
    return [] if inflation.enough else ["neighbouring blocks are too alike: a longer window is needed"]


def longest_need(gates: Sequence[Gate]) -> float:
    """How many times longer the window must be for every gate to pass, if there is no difference."""
    return max((gate.need.times for gate in gates if not gate.within), default=1.0)
