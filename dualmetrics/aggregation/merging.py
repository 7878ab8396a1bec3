"""Adding up the rows of many workers, by the `Rules`, and showing them as families."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import NamedTuple

from dualmetrics.aggregation.series import Series
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.storage.regions import Cells


class RowSource(NamedTuple):
    """The rows of one file, or of this process."""

    alive: bool
    rows: Iterable[tuple[Series, Cells]]
    exponentials: Iterable[tuple[Series, Callable[[], ExponentialHistogram]]] = ()
    """What reads, if need be, the exponential histograms of those series that are recorded so."""


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


def _outliving(rows: Iterable[tuple[Series, Cells]]) -> Iterable[tuple[Series, Cells]]:
    for series, cells in rows:
        left = series.after_death(cells)
        if left is not None:
            yield series, left


class ExponentialTotals:
    """The histograms of all sources added up, those of the dead as well: each when it is asked for."""

    def __init__(self, sources: Iterable[RowSource]) -> None:
        self._sources = sources

    @functools.cached_property
    def _parts(self) -> dict[Series, list[Callable[[], ExponentialHistogram]]]:
        """Sought when the first is asked for: mostly none is."""
        found: dict[Series, list[Callable[[], ExponentialHistogram]]] = {}
        for source in self._sources:
            for series, part in source.exponentials:
                found.setdefault(series, []).append(part)
        return found

    def of(self, series: Series) -> ExponentialHistogram:
        """What a series has counted; an empty histogram if it is not recorded so."""
        parts = (part() for part in self._parts.get(series, ()))
        return reduce(ExponentialHistogram.plus, parts, ExponentialHistogram())
