"""Adds up the rows of many workers, and gives them as families."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import NamedTuple

from dualmetrics.aggregation.series import Series
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.runtime.free_threading import SHARDS
from dualmetrics.storage.regions import Cells


class RowSource(NamedTuple):
    """The rows of one file, or of this process. ``alive`` says whether their worker lives."""

    alive: bool
    rows: Iterable[tuple[Series, Cells]]
    exponentials: Iterable[tuple[Series, Callable[[], ExponentialHistogram]]] = ()
    """The series with exponential buckets, each with a function that reads them if they are needed."""


def merge_sources(sources: Iterable[RowSource]) -> dict[Series, Cells]:
    """The sum of all sources, by series."""
    totals: dict[Series, Cells] = {}
    for source in sources:
        rows = source.rows if source.alive else _after_death(source.rows)
        if not totals and len(SHARDS) == 1:  # a file has each series once, but for each shard of threads
            totals = dict(rows)
            continue
        for series, cells in rows:
            total = totals.get(series)
            totals[series] = cells if total is None else series.combine(total, cells)
    return totals


def to_families(
    totals: Mapping[Series, Cells],
    exponential: Callable[[Series], ExponentialHistogram],
    recorded: bool = True,
) -> list[Family]:
    """The series by metric, in the order of their first appearance, without gauges that are not set.

    ``exponential`` gives the exponential histogram of a series. Points get it if their metric has no other
    buckets, and if ``recorded`` also those of all histograms that are recorded by our own instruments.
    """
    # By identity: descriptors are interned, and slow to hash.
    families: dict[int, tuple[Descriptor, list[Point], bool]] = {}
    for series, cells in totals.items():
        point = series.point if series.point.cells is cells else series.to_point(cells)
        if point is None:
            continue
        descriptor = series.descriptor
        family = families.get(id(descriptor))
        if family is None:
            has_exponential = descriptor.exponential or (recorded and descriptor.is_recorded_histogram)
            family = families[id(descriptor)] = descriptor, [], has_exponential
        family[1].append(series.with_exponential(point, exponential) if family[2] else point)
    return [Family(descriptor, tuple(points)) for descriptor, points, _ in families.values()]


def _after_death(rows: Iterable[tuple[Series, Cells]]) -> Iterable[tuple[Series, Cells]]:
    for series, cells in rows:
        remaining = series.after_death(cells)
        if remaining is not None:
            yield series, remaining


class ExponentialTotals:
    """The exponential histograms of all sources, added up when one is asked for."""

    def __init__(self, sources: Iterable[RowSource]) -> None:
        self._sources = sources

    @functools.cached_property
    def _parts(self) -> dict[Series, list[Callable[[], ExponentialHistogram]]]:
        """By series; made when the first one is asked for, because usually none is."""
        parts: dict[Series, list[Callable[[], ExponentialHistogram]]] = {}
        for source in self._sources:
            for series, read in source.exponentials:
                parts.setdefault(series, []).append(read)
        return parts

    def of(self, series: Series) -> ExponentialHistogram:
        """The histogram of a series; an empty one if it has no exponential buckets."""
        parts = (read() for read in self._parts.get(series, ()))
        return reduce(ExponentialHistogram.plus, parts, ExponentialHistogram())
