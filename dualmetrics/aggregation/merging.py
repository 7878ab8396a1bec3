"""Adding up the rows of many workers, by the `Rules`, and showing them as families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from dualmetrics.aggregation.policies import AggregationPolicy, Cells
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Attributes, Descriptor, Exemplars, Family, Kind, Point, attributes_key

_NEVER_SHOWN = Point((), 0, ())


class Series:
    """One series of the group. Interned: equal means identical, so that merging hashes a pointer."""

    __slots__ = (
        "_gauge",
        "_width",
        "after_death",
        "attributes",
        "combine",
        "descriptor",
        "exemplars",
        "point",
        "point_with_exponential",
        "start_time_ns",
    )

    def __init__(self, treatment: AggregationPolicy, attributes: Attributes, start: int) -> None:
        self.descriptor, self.combine, self.after_death, self._width, self._gauge, _ = treatment
        self.attributes = attributes
        self.start_time_ns = start
        self.exemplars: Exemplars = ()
        self.point = Point(attributes, start, ())
        """As it was last shown: the same object for as long as nothing changes."""
        self.point_with_exponential = _NEVER_SHOWN
        """Likewise with its exponential histogram, where it has one."""

    def set_start(self, start: int) -> None:
        """It began earlier than was known."""
        self.start_time_ns = start
        self.point = Point(self.attributes, start, ())

    def to_point(self, cells: Cells) -> Point | None:
        """The point with these cells; None if it was never set, or is withdrawn."""
        timed = len(cells) > self._width
        if (timed or self._gauge) and not cells[-1]:
            return None
        if timed:
            cells = cells[: self._width]  # once per group: without the time of observation
        if self.point.cells != cells:
            self.point = Point(self.attributes, self.start_time_ns, cells, self.exemplars)
        return self.point

    def with_exponential(self, point: Point, exponential: Callable[[Series], ExponentialHistogram]) -> Point:
        """That point with its exponential histogram, which is read only if it may have changed."""
        both = self.point_with_exponential
        unchanged = both._replace(exponential=None) == point
        if both.cells is point.cells and unchanged and _is_complete(both):
            return both
        both = self.point_with_exponential = point._replace(exponential=exponential(self))
        return both

    def set_exemplars(self, exemplars: Exemplars) -> None:
        """These are its exemplars from now on."""
        if self.exemplars != exemplars:
            self.exemplars = exemplars
            self.point = self.point._replace(exemplars=exemplars)


class RowSource(NamedTuple):
    """The rows of one file, or of this process."""

    alive: bool
    rows: Iterable[tuple[Series, Cells]]
    exponentials: Iterable[tuple[Series, Callable[[], ExponentialHistogram]]] = ()
    """What reads, if need be, the exponential histograms of those series that are recorded so."""


def _is_complete(point: Point) -> bool:
    """Whether no value was just being recorded, in one kind of buckets and not yet in the other."""
    return point.exponential is not None and point.exponential.total_count == sum(point.cells[:-1])


def merge_sources(sources: Iterable[RowSource]) -> dict[Series, Cells]:
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


def to_families(
    totals: Mapping[Series, Cells],
    exponential: Callable[[Series], ExponentialHistogram],
    recorded: bool = True,
) -> list[Family]:
    """The series by metric, in the order of their first appearance; absent gauges left out.

    ``exponential`` tells what a series has in exponential buckets. Histograms that have no others show it,
    and if ``recorded`` all that are recorded here: a metric's points are of one type.
    """
    # By identity: descriptors are interned, and hashing one takes a while.
    found: dict[int, tuple[Descriptor, list[Point], bool]] = {}
    for series, cells in totals.items():
        point = series.point if series.point.cells is cells else series.to_point(cells)
        if point is None:
            continue
        descriptor = series.descriptor
        known = found.get(id(descriptor))
        if known is None:
            both = descriptor.exponential or (recorded and descriptor.is_recorded_histogram)
            known = found[id(descriptor)] = descriptor, [], both
        known[1].append(series.with_exponential(point, exponential) if known[2] else point)
    return [Family(descriptor, tuple(points)) for descriptor, points, _ in found.values()]


def stored_width(descriptor: Descriptor) -> int:
    """How many cells a worker's row has: what is observed once per group also carries a time."""
    timed = descriptor.once_per_group and descriptor.kind is not Kind.GAUGE
    return descriptor.width + timed


def compatibility_key(descriptor: Descriptor) -> tuple[object, ...]:
    """What makes two rows of one metric addable; descriptions may differ."""
    return (
        descriptor.kind,
        descriptor.unit,
        descriptor.bounds,
        descriptor.observable,
        descriptor.once_per_group,
        descriptor.prometheus_type,
        descriptor.exponential,
    )


def metric_key(descriptor: Descriptor) -> tuple[object, ...]:
    """What makes two descriptors the same metric."""
    scope = descriptor.scope
    return scope.name, scope.version, scope.schema_url, attributes_key(scope.attributes), descriptor.name


def _outliving(rows: Iterable[tuple[Series, Cells]]) -> Iterable[tuple[Series, Cells]]:
    for series, cells in rows:
        left = series.after_death(cells)
        if left is not None:
            yield series, left
