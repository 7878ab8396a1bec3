"""Writes the totals of other libraries to rows of this worker.

Our own instruments count in the rows themselves. The total of another library lies in that library's
memory, and is written to a row whenever it is read. A new row takes only what the total has grown by since
the last read: what was counted before a fork belongs to the parent, and what was written to a file that is
no longer ours stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.bound_series import BoundRow, BoundSeries
from dualmetrics.bridges.cell_layout import LAYOUTS, CellLayout
from dualmetrics.bridges.counter_tracker import CounterTracker
from dualmetrics.bridges.series_table import SeriesTable
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.runtime.free_threading import FIRST_SHARD, locked_if_free_threaded
from dualmetrics.storage import exemplar_slots


class CounterWriter:
    """Adds the increases of totals to rows. Its callers hold the lock of `SeriesImporter`."""

    def __init__(self, store: GroupStore, on_duplicate: Callable[[str], object], exemplars: bool) -> None:
        self._store = store
        self._exemplars = exemplars
        self.table = SeriesTable(CounterTracker, on_duplicate)
        self._first_users: dict[int, BoundRow] = {}
        """The first binding of each row, by the row's id."""

    def invalidate(self) -> None:
        """Forget the rows, which are no longer valid, but not the last readings."""
        self.table.clear_rows()
        self._first_users = {}

    def write(
        self, source: object, family: Family, now: float, matched: set[BoundSeries[CounterTracker]]
    ) -> None:
        """Write the totals of one family that ``source`` shows, and add its series to ``matched``."""
        descriptor = family.descriptor
        layout = LAYOUTS[descriptor.kind]
        for series, point in [*self.table.match(source, family, matched)]:
            cells = tuple(point.cells[layout.values])
            if cells != series.tracker.cells:
                self._add(series, descriptor, point, cells, layout, now)
            if point.exemplars and point.exemplars != series.tracker.exemplars:
                self._write_exemplars(series, descriptor, point, now)

    def withdraw(self, source: object, shown: set[BoundSeries[CounterTracker]], forget: bool) -> None:
        """Record what ``source`` shows now. Totals that it no longer shows stay in their rows.

        ``forget``: they are gone for good; a total of the same name starts at zero.
        """
        removed = self.table.replace_shown(source, shown)
        if forget:
            self.table.forget(removed)

    def _add(
        self,
        series: BoundSeries[CounterTracker],
        descriptor: Descriptor,
        point: Point,
        cells: tuple[float, ...],
        layout: CellLayout,
        now: float,
    ) -> None:
        bound = series.row or self._bind(series, descriptor, point, layout)
        # Only a registry may replace a series by a new one of the same name, with another start time.
        start = point.start_time_ns if descriptor.prometheus_type else 0
        increase, restarted = series.tracker.advance(cells, layout, start)
        if restarted:
            bound.is_copy = False  # it keeps what was counted before the restart
        _write_sums(bound, cells[layout.summed], increase)
        if descriptor.kind is Kind.SUMMARY:
            _write_quantiles(bound, cells, now)
        if bound.exponential_cells is not None and point.exponential is not None:
            merge = locked_if_free_threaded(FIRST_SHARD)(bound.exponential_cells.merge)
            merge(series.tracker.advance_exponential(point.exponential))

    def _bind(
        self,
        series: BoundSeries[CounterTracker],
        descriptor: Descriptor,
        point: Point,
        layout: CellLayout,
    ) -> BoundRow:
        """Open the row of a series, and find out whether it holds the last reading of that series."""
        bound = series.row = self._open_row(descriptor, point)
        first = self._first_users.setdefault(id(bound.cells), bound)
        if first is not bound:
            first.is_copy = False  # the overflow row: several series are added up in it
            return bound
        previous = [*series.tracker.cells[layout.summed]] or [0.0] * len(point.cells[layout.summed])
        bound.is_copy = bound.cells[: len(previous)].tolist() == previous
        return bound

    def _open_row(self, descriptor: Descriptor, point: Point) -> BoundRow:
        start = point.start_time_ns or None
        if descriptor.exponential:
            return BoundRow(*self._store.histogram_row(descriptor, point.attributes, start))
        return BoundRow(self._store.row(descriptor, point.attributes, start))

    def _write_exemplars(
        self, series: BoundSeries[CounterTracker], descriptor: Descriptor, point: Point, now: float
    ) -> None:
        """Write the exemplars that are new to their slots. The parent keeps those from before a fork."""
        if series.row is None or not self._exemplars:
            return
        previous = series.tracker.exemplars or (None,) * len(point.exemplars)
        size = exemplar_slots.slot_size(point.exemplars)
        slots = self._store.slots(descriptor, point.attributes, size)
        for index, (new, old) in enumerate(zip(point.exemplars, previous, strict=True)):
            if new is not None and new != old:
                dated = new if new.time_ns else new._replace(time_ns=int(now * 1e9))
                exemplar_slots.write_slot(slots, index, dated, size)
        series.tracker.exemplars = point.exemplars


@locked_if_free_threaded(FIRST_SHARD)
def _write_sums(bound: BoundRow, totals: Iterable[float], increase: Iterable[float]) -> None:
    """Overwrite the sums in a copy. In another row, add what they have grown by."""
    row = bound.cells
    if bound.is_copy:
        for index, value in enumerate(totals):
            row[index] = value
    else:
        for index, amount in enumerate(increase):
            row[index] += amount


def _write_quantiles(bound: BoundRow, cells: tuple[float, ...], now: float) -> None:
    """Overwrite the quantiles, which cannot be added up. The time decides which worker's are shown."""
    quantiles = cells[LAYOUTS[Kind.SUMMARY].summed.stop :]
    for index, value in enumerate(quantiles, len(cells) - len(quantiles)):
        bound.cells[index] = value
    if quantiles:
        bound.cells[-1] = now
