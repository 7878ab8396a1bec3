"""Adding up the rows of many workers.

Counters and histograms add, a dead worker's too. Up-down counters add while their worker lives; after that
the share is zero, unless the counter is to be retained. Gauges merge as the settings say, of living
workers only. What is observed once per group is taken from whoever observed it last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import add
from typing import NamedTuple

from dualmetrics.snapshot import Attributes, Descriptor, Exemplars, Family, Kind, Point, identity

Cells = tuple[float, ...]
Combine = Callable[[Cells, Cells], Cells]


class Treatment(NamedTuple):
    """What a metric and the settings mean for each of its series. ``width`` is that of a point."""

    descriptor: Descriptor
    combine: Combine
    outlive: Callable[[Cells], Cells | None]
    width: int
    is_gauge: bool
    per_worker: bool


class Series:
    """One series of the group. Interned: equal means identical, so that merging hashes a pointer."""

    __slots__ = (
        "_gauge",
        "_width",
        "attributes",
        "combine",
        "descriptor",
        "exemplars",
        "outlive",
        "point",
        "start",
    )

    def __init__(self, treatment: Treatment, attributes: Attributes, start: int) -> None:
        self.descriptor, self.combine, self.outlive, self._width, self._gauge, _ = treatment
        self.attributes = attributes
        self.start = start
        self.exemplars: Exemplars = ()
        self.point = Point(attributes, start, ())
        """As it was last shown: the same object for as long as nothing changes."""

    def begin(self, start: int) -> None:
        """It began earlier than was known."""
        self.start = start
        self.point = Point(self.attributes, start, ())

    def shown(self, cells: Cells) -> Point | None:
        """The point with these cells; None for a gauge that was never set."""
        if self._gauge and not cells[1]:
            return None
        if len(cells) > self._width:
            cells = cells[: self._width]  # once per group: without the time of observation
        if self.point.cells != cells:
            self.point = Point(self.attributes, self.start, cells, self.exemplars)
        return self.point

    def exemplify(self, exemplars: Exemplars) -> None:
        """These are its exemplars from now on."""
        if self.exemplars != exemplars:
            self.exemplars = exemplars
            self.point = self.point._replace(exemplars=exemplars)


class Source(NamedTuple):
    """The rows of one file, or of this process."""

    alive: bool
    rows: Iterable[tuple[Series, Cells]]


@dataclass(frozen=True)
class Rules:
    """How the settings want gauges and up-down counters merged (DUALMETRICS_GAUGE_MERGE, _RETAIN)."""

    gauges: str = "last"
    gauge_by_name: Mapping[str, str] = field(default_factory=dict)
    retain: frozenset[str] = frozenset()

    def gauge(self, descriptor: Descriptor) -> str | None:
        """The way a gauge merges; None for other kinds, and where one value holds for all."""
        if descriptor.kind is not Kind.GAUGE or descriptor.once_per_group:
            return None
        return self.gauge_by_name.get(descriptor.name, self.gauges)

    def treatment(self, descriptor: Descriptor) -> Treatment:
        """What these rules make of a metric."""
        return Treatment(
            descriptor,
            self.combine(descriptor),
            self.outlive(descriptor),
            descriptor.width,
            is_gauge=descriptor.kind is Kind.GAUGE,
            per_worker=self.gauge(descriptor) == "each",
        )

    def combine(self, descriptor: Descriptor) -> Combine:
        if descriptor.once_per_group:
            return _last
        if descriptor.kind is Kind.GAUGE:
            return _GAUGES[self.gauge(descriptor) or "last"]
        return _add

    def outlive(self, descriptor: Descriptor) -> Callable[[Cells], Cells | None]:
        """What of a row remains when its worker is dead."""
        if descriptor.once_per_group:
            return _whole  # until somebody else observes it; never archived, see `Archive`
        if descriptor.kind is Kind.GAUGE:
            return _nothing
        if descriptor.kind is Kind.UP_DOWN_COUNTER and descriptor.name not in self.retain:
            return _zero
        return _whole


def merge(sources: Iterable[Source]) -> dict[Series, Cells]:
    """The sum of all sources, series by series."""
    totals: dict[Series, Cells] = {}
    for source in sources:
        rows = source.rows if source.alive else _outliving(source.rows)
        if not totals:
            totals = dict(rows)
            continue
        for series, cells in rows:
            have = totals.get(series)
            totals[series] = cells if have is None else series.combine(have, cells)
    return totals


def families(totals: Mapping[Series, Cells]) -> list[Family]:
    """The series by metric, in the order of their first appearance; absent gauges left out."""
    # By identity: descriptors are interned, and hashing one takes a while.
    found: dict[int, tuple[Descriptor, list[Point]]] = {}
    for series, cells in totals.items():
        point = series.point if series.point.cells is cells else series.shown(cells)
        if point is not None:
            descriptor = series.descriptor
            if id(descriptor) not in found:
                found[id(descriptor)] = descriptor, []
            found[id(descriptor)][1].append(point)
    return [Family(descriptor, tuple(points)) for descriptor, points in found.values()]


def width(descriptor: Descriptor) -> int:
    """How many cells a worker's row has: what is observed once per group also carries a time."""
    timed = descriptor.once_per_group and descriptor.kind is not Kind.GAUGE
    return descriptor.width + timed


def shape(descriptor: Descriptor) -> tuple[object, ...]:
    """What makes two rows of one metric addable; descriptions may differ."""
    return (
        descriptor.kind,
        descriptor.unit,
        descriptor.bounds,
        descriptor.observable,
        descriptor.once_per_group,
    )


def metric(descriptor: Descriptor) -> tuple[object, ...]:
    """What makes two descriptors the same metric."""
    scope = descriptor.scope
    return scope.name, scope.version, scope.schema_url, identity(scope.attributes), descriptor.name


def _outliving(rows: Iterable[tuple[Series, Cells]]) -> Iterable[tuple[Series, Cells]]:
    for series, cells in rows:
        left = series.outlive(cells)
        if left is not None:
            yield series, left


def _whole(cells: Cells) -> Cells:
    return cells


def _zero(cells: Cells) -> Cells:
    # The series stays, at zero: one that vanished would leave dashboards and alerts without a value.
    return (0.0,) * len(cells)


def _nothing(cells: Cells) -> None:
    return None


def _add(one: Cells, other: Cells) -> Cells:
    return tuple(map(add, one, other))


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
