"""What a candidate must achieve, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS, Inflation
from dualmetrics.experiments.statistics.critical import CriticalValues
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
class Aim:
    """What the candidate must achieve.

    A guard rail must not get worse by more than the ``margin``. A goal must get better, by more than the
    ``margin``, which may be 0. ``up_good`` says that higher is better.
    """

    margin: float
    up_good: bool = False
    goal: bool = False

    @property
    def sign(self) -> float:
        """1 if higher is worse, -1 if higher is better."""
        return -1.0 if self.up_good else 1.0

    @property
    def limit(self) -> float:
        """By how much a difference of shares may be worse; negative for a goal."""
        return -self.margin if self.goal else self.margin

    @property
    def log_limit(self) -> float:
        """By how much the logarithm of a factor may be worse; negative for a goal."""
        return self.sign * log(1 + self.sign * self.limit)


class Rules(NamedTuple):
    """How gates are judged."""

    margins: Margins
    critical: CriticalValues
    stratified: bool = False
    """Whether the counts are weighted by stratum, so that they are no longer numbers of requests."""

    @property
    def alpha(self) -> float:
        """The one-sided risk of each limit."""
        return self.margins.alpha


@dataclass(frozen=True)
class Gate:
    """One comparison and its result.

    ``unit`` is "difference" or "factor": what ``effect``, its one-sided limits ``lower`` and ``upper``, and
    ``margin`` are. ``p_worse`` is the p-value of "the candidate is no worse", ``p_beyond`` that of "it is
    worse by the margin or more"; ``within`` says whether the effect is surely smaller than the margin.

    A ``goal`` must get better, by more than the margin. Its ``p_worse`` is the p-value of "it does",
    ``p_beyond`` that of "it does not"; ``within`` says whether it surely does.
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
    p_beyond: float
    within: bool
    need: Need
    note: str = ""
    quantity: str = "number"
    """What ``baseline`` and ``candidate`` are: a "share", a "duration", or another "number"."""
    up_good: bool = False
    """Whether higher is better."""
    goal: bool = False
    remedy: str = ""
    """What would help, if no longer window would decide the gate."""

    @property
    def none(self) -> float:
        """The value of ``effect`` if the variants do not differ: 0 for a difference, 1 for a factor."""
        return 0.0 if self.unit == "difference" else 1.0

    @property
    def limit(self) -> float:
        """The worst effect that is tolerated; of a goal, the effect that must be exceeded."""
        return self.none + (self.margin if self.up_good is self.goal else -self.margin)


def block_notes(inflation: Inflation) -> list[str]:
    """Say so if there are too few blocks, or if they are too similar."""
    if inflation.blocks < MIN_BLOCKS:
        return [f"only {inflation.blocks} of the {MIN_BLOCKS} blocks of time that are needed"]
    return [] if inflation.enough else ["neighboring blocks are too similar: a longer window is needed"]


def incident_notes(estimate: float, limit: float, more_candidate: float, more_baseline: float) -> list[str]:
    """Say so if a handful of blocks decides: if more incidents of one variant would change the result.

    ``more_candidate`` and ``more_baseline`` are what such incidents would add.
    """
    notes = []
    if estimate <= limit < estimate + more_candidate:
        notes.append("a few blocks decide: more incidents like the candidate's worst would exceed the margin")
    if 0 < estimate <= more_baseline:
        notes.append("a few blocks decide: with more incidents like its worst, the baseline would be as bad")
    return notes


def goal_need(error: float, estimate: float, limit: float, alpha: float) -> Need:
    """Return the need of a guard rail if there is no difference, of a goal if the effect is as estimated."""
    distance = limit if limit > 0 else limit - estimate
    return estimate_need(max(distance, 0.0), error, alpha)


def longest_need(gates: Sequence[Gate]) -> float:
    """Return how many times longer the window must be for every gate to pass, if there is no difference."""
    return max((gate.need.times for gate in gates if not gate.within), default=1.0)
