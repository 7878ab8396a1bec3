"""How the rows of many workers become one.

Counters and histograms are added, those of dead workers too. What a worker's callbacks no longer observe is
left out of a sum. Up-down counters are added while their worker
lives; afterwards its share is zero, unless the counter is to be retained. Gauges of living workers are merged
as the settings say. Of what is observed once per group, the last observation counts.
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
    """How the rows of one metric are merged. ``width`` is the number of cells of a point."""

    descriptor: Descriptor
    combine: Combine
    after_death: Callable[[Cells], Cells | None]
    width: int
    is_gauge: bool
    per_worker: bool


@dataclass(frozen=True)
class AggregationPolicies:
    """The settings for merging gauges and up-down counters.

    They are DUALMETRICS_GAUGE_MERGE (``gauges`` and ``gauge_by_name``) and DUALMETRICS_RETAIN.
    """

    gauges: str = "last"
    gauge_by_name: Mapping[str, str] = field(default_factory=dict)
    retain: frozenset[str] = frozenset()

    def gauge_merge(self, descriptor: Descriptor) -> str | None:
        """How a gauge is merged; None for other kinds, and for what is observed once per group.

        A setting for its name wins over what the app has declared, and that over the setting for all gauges.
        """
        if descriptor.kind is not Kind.GAUGE or descriptor.once_per_group:
            return None
        return self.gauge_by_name.get(descriptor.name) or descriptor.gauge_merge or self.gauges

    def policy_for(self, descriptor: Descriptor) -> AggregationPolicy:
        """The policy for a metric."""
        return AggregationPolicy(
            descriptor,
            self.combine(descriptor),
            self.after_death(descriptor),
            descriptor.width,
            is_gauge=descriptor.kind is Kind.GAUGE,
            per_worker=self.gauge_merge(descriptor) == "each",
        )

    def combine(self, descriptor: Descriptor) -> Combine:
        """The function that merges two rows."""
        if descriptor.once_per_group:
            return _last
        if descriptor.kind is Kind.GAUGE:
            return _GAUGES[self.gauge_merge(descriptor) or "last"]
        if descriptor.kind is Kind.SUMMARY:
            return _summaries
        return _add_observed if _may_be_withdrawn(descriptor) else _add

    def after_death(self, descriptor: Descriptor) -> Callable[[Cells], Cells | None]:
        """The function that gives what remains of a row when its worker is dead; None if nothing does."""
        if descriptor.once_per_group:
            return _whole  # until another worker observes it; the archive does not keep it
        if descriptor.kind is Kind.GAUGE:
            return _nothing
        if descriptor.kind is Kind.UP_DOWN_COUNTER and descriptor.name not in self.retain:
            return _zero
        return _observed if _may_be_withdrawn(descriptor) else _whole


def _may_be_withdrawn(descriptor: Descriptor) -> bool:
    """Whether a row may be NaN, because the callbacks of this worker no longer observe it."""
    return descriptor.observable and descriptor.kind in (Kind.COUNTER, Kind.UP_DOWN_COUNTER)


def _observed(cells: Cells) -> Cells | None:
    return None if math.isnan(cells[0]) else cells


def _add_observed(one: Cells, other: Cells) -> Cells:
    if math.isnan(one[0]) or math.isnan(other[0]):
        return _observed(one) or other
    return _add(one, other)


def _whole(cells: Cells) -> Cells:
    return cells


def _zero(cells: Cells) -> Cells | None:
    # The series stays, at zero: if it vanished, dashboards and alerts would have no value.
    return None if math.isnan(cells[0]) else (0.0,) * len(cells)


def _nothing(cells: Cells) -> None:
    return None


def _add(one: Cells, other: Cells) -> Cells:
    return tuple(map(add, one, other))


def _summaries(one: Cells, other: Cells) -> Cells:
    """Add count and sum. Quantiles cannot be added, so the latest ones are shown."""
    return (one[0] + other[0], one[1] + other[1], *_last(one, other)[2:])


def _last(one: Cells, other: Cells) -> Cells:
    return other if other[-1] >= one[-1] else one


def _set_both(choose: Callable[[float, float], float]) -> Combine:
    """Merge the values of two gauges, ignoring one that was never set (time 0)."""

    def combine(one: Cells, other: Cells) -> Cells:
        if not (one[1] and other[1]):
            return one if one[1] else other
        return choose(one[0], other[0]), max(one[1], other[1])

    return combine


def _numeric(choose: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """Prefer a number to NaN. With min() and max() alone, the result would depend on the order."""
    return lambda a, b: b if math.isnan(a) else a if math.isnan(b) else choose(a, b)


_GAUGES: dict[str, Combine] = {
    "last": _last,
    "sum": _set_both(add),
    "min": _set_both(_numeric(min)),
    "max": _set_both(_numeric(max)),
    # A worker has one such gauge, or two after its disk was full: one shared and one private row.
    "each": _last,
}
