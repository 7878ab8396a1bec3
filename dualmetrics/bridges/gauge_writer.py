"""Writes the values of other libraries that are overwritten, not added up, to rows of this worker."""

from __future__ import annotations

from collections.abc import Callable

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.bound_series import BoundRow, BoundSeries
from dualmetrics.bridges.cell_layout import LAYOUTS
from dualmetrics.bridges.gauge_tracker import GaugeTracker
from dualmetrics.bridges.series_table import SeriesTable
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Family, Point

_NEVER_SET = 1e-9
"""The time, in seconds, of a value that may never have been set: any value that was set is newer."""

_Reading = tuple[BoundSeries[GaugeTracker], Point, tuple[float, ...]]
"""A series, its point, and the cells of that without the time."""


class GaugeWriter:
    """Overwrites rows with the values that changed. Its callers hold the lock of `SeriesImporter`."""

    def __init__(self, store: GroupStore, on_duplicate: Callable[[str], object]) -> None:
        self._store = store
        self.table = SeriesTable(GaugeTracker, on_duplicate)

    def invalidate(self) -> None:
        """Forget the rows, which are no longer valid, but not the last readings."""
        self.table.clear_rows()

    def write(
        self, source: object, family: Family, now: float, matched: set[BoundSeries[GaugeTracker]]
    ) -> None:
        """Write the values of one family that ``source`` shows, and add its series to ``matched``.

        A value that did not change keeps its time: over workers the one that was set last is shown.
        """
        descriptor = family.descriptor
        values = LAYOUTS[descriptor.kind].values
        readings: list[_Reading] = [
            (series, point, tuple(point.cells[values]))
            for series, point in self.table.match(source, family, matched)
        ]
        changed = _changed(descriptor, readings)
        for series, point, cells in readings:
            if series in changed:
                may_be_unset = not series.tracker.cells and _may_be_unset(descriptor, cells, readings)
                series.tracker.set_at = _NEVER_SET if may_be_unset else now
                series.tracker.cells = cells
            elif series.row is not None:
                continue
            self._overwrite(series, descriptor, point, cells)

    def withdraw(self, source: object, shown: set[BoundSeries[GaugeTracker]]) -> None:
        """Record what ``source`` shows now. Values that it no longer shows are removed."""
        self._remove(self.table.replace_shown(source, shown))

    def remove_source(self, source: object) -> None:
        """Remove all values that ``source`` showed."""
        self._remove(self.table.remove_source(source))

    def _overwrite(
        self,
        series: BoundSeries[GaugeTracker],
        descriptor: Descriptor,
        point: Point,
        cells: tuple[float, ...],
    ) -> None:
        bound = series.row
        if bound is None:
            start = point.start_time_ns or None
            bound = series.row = BoundRow(self._store.row(descriptor, point.attributes, start))
        for index, value in enumerate(cells):
            bound.cells[index] = value
        bound.cells[-1] = series.tracker.set_at

    def _remove(self, removed: set[BoundSeries[GaugeTracker]]) -> None:
        for series in removed:
            if series.row is not None:
                series.row.cells[-1] = 0.0  # a value without a time is not shown
            for same in series.siblings[series.key].chain():
                same.tracker.cells = ()  # another source that still shows it has to write it again
        self.table.forget(removed)


def _changed(descriptor: Descriptor, readings: list[_Reading]) -> set[BoundSeries[GaugeTracker]]:
    changed = {
        series for series, _, cells in readings if descriptor.observable or cells != series.tracker.cells
    }
    if changed and descriptor.prometheus_type == "stateset":
        # All states of an enum get the same time, so that those of two workers cannot be mixed.
        return {series for series, _, _ in readings}
    return changed


def _may_be_unset(descriptor: Descriptor, cells: tuple[float, ...], readings: list[_Reading]) -> bool:
    """Whether a value at its first read may be one that nobody has set yet.

    prometheus_client starts gauges at 0 and enums in the first of their states.
    """
    if descriptor.prometheus_type == "stateset":
        return any(readings[0][2])
    return bool(descriptor.prometheus_type) and (descriptor.prometheus_type == "info" or not any(cells))
