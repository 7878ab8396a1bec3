"""The rules by which the rows of many workers become one.

Counters and histograms add, a dead worker's too. Up-down counters add while their worker lives; after that
the share is zero, unless the counter is to be retained. Gauges merge as the settings say, of living
workers only. What is observed once per group is taken from whoever observed it last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import add
from typing import NamedTuple

from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.storage.regions import Cells

Combine = Callable[[Cells, Cells], Cells]


class AggregationPolicy(NamedTuple):
    """What a metric and the settings mean for each of its series. ``width`` is that of a point."""

    descriptor: Descriptor
    combine: Combine
    after_death: Callable[[Cells], Cells | None]
    width: int
    is_gauge: bool
    per_worker: bool


@dataclass(frozen=True)
class AggregationPolicies:
    """How the settings want gauges and up-down counters merged (DUALMETRICS_GAUGE_MERGE, _RETAIN)."""

    gauges: str = "last"
    gauge_by_name: Mapping[str, str] = field(default_factory=dict)
    retain: frozenset[str] = frozenset()

    def gauge_merge(self, descriptor: Descriptor) -> str | None:
        """The way a gauge merges; None for other kinds, and where one value holds for all."""
        if descriptor.kind is not Kind.GAUGE or descriptor.once_per_group:
            return None
        return self.gauge_by_name.get(descriptor.name, self.gauges)

    def policy_for(self, descriptor: Descriptor) -> AggregationPolicy:
        """What these rules make of a metric."""
        return AggregationPolicy(
            descriptor,
            self.combine(descriptor),
            self.after_death(descriptor),
            descriptor.width,
            is_gauge=descriptor.kind is Kind.GAUGE,
            per_worker=self.gauge_merge(descriptor) == "each",
        )

    def combine(self, descriptor: Descriptor) -> Combine:
        if descriptor.once_per_group:
            return _last
        if descriptor.kind is Kind.GAUGE:
            return _GAUGES[self.gauge_merge(descriptor) or "last"]
        if descriptor.kind is Kind.SUMMARY:
            return _summaries
        return _add

    def after_death(self, descriptor: Descriptor) -> Callable[[Cells], Cells | None]:
        """What of a row remains when its worker is dead."""
        if descriptor.once_per_group:
            return _whole  # until somebody else observes it; never archived, see `Archive`
        if descriptor.kind is Kind.GAUGE:
            return _nothing
        if descriptor.kind is Kind.UP_DOWN_COUNTER and descriptor.name not in self.retain:
            return _zero
        return _whole


def _whole(cells: Cells) -> Cells:
    return cells


def _zero(cells: Cells) -> Cells:
    # The series stays, at zero: one that vanished would leave dashboards and alerts without a value.
    return (0.0,) * len(cells)


def _nothing(cells: Cells) -> None:
    return None


def _add(one: Cells, other: Cells) -> Cells:
    return tuple(map(add, one, other))


def _summaries(one: Cells, other: Cells) -> Cells:
    """Count and sum add; quantiles cannot be, so the latest are shown."""
    return (one[0] + other[0], one[1] + other[1], *_last(one, other)[2:])


def _last(one: Cells, other: Cells) -> Cells:
    return other if other[-1] >= one[-1] else one


def _set_both(choose: Callable[[float, float], float]) -> Combine:
    """Merge two gauges' values; one that was never set (time 0) has no say."""

    def combine(one: Cells, other: Cells) -> Cells:
        if not (one[1] and other[1]):
            return one if one[1] else other
        return choose(one[0], other[0]), max(one[1], other[1])

    return combine


def _numeric(choose: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """Prefer a number to NaN, whichever comes first; min() and max() would depend on the order."""
    return lambda a, b: b if math.isnan(a) else a if math.isnan(b) else choose(a, b)


_GAUGES: dict[str, Combine] = {
    "last": _last,
    "sum": _set_both(add),
    "min": _set_both(_numeric(min)),
    "max": _set_both(_numeric(max)),
    # Never two of one worker; but a private and a shared row may meet after a disk was full.
    "each": _last,
}
