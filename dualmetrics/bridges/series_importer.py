"""Totals that others keep, such as those of a Prometheus registry, in rows of this worker's share.

Our instruments count in the rows themselves. A foreign total lies in its library's own memory, and goes into
a row whenever it is read. What was counted before a fork belongs to the parent, and what was written to a
file that is no longer ours stays there: so a new row takes only what the total has grown by.
"""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.series_bindings import EMPTY, BoundSeries, SeriesBindings, adds
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point
from dualmetrics.storage import exemplar_slots
from dualmetrics.storage.regions import Row

_COUNTS = {Kind.COUNTER: slice(None), Kind.HISTOGRAM: slice(-1), Kind.SUMMARY: slice(1)}
"""The cells that only grow."""

_BIRTH = 1e-9
"""When a value was set of which only its first state is known: whatever was set by anybody is newer."""


class SeriesImporter:
    """Writes foreign families to rows. Safe for several threads."""

    def __init__(
        self, store: GroupStore, twice: Callable[[str], object] = lambda name: None, *, exemplars: bool = True
    ) -> None:
        """``exemplars``: whether those of the series are taken. ``twice``: see `Bindings`."""
        self._store = store
        self._exemplars = exemplars
        self.bindings = SeriesBindings(twice)
        """The series as they were when they were last read."""
        self._owners: dict[int, BoundSeries] = {}
        self._closed = False
        self.after_fork_in_child()
        store.on_invalidate(self.invalidate)

    def after_fork_in_child(self) -> None:
        """The lock may have been held by a thread that the child does not have."""
        self._lock = threading.RLock()

    def invalidate(self) -> None:
        """All rows are void; how the series were is known still."""
        for bound in self.bindings.all():
            bound.row = None
        self._owners = {}

    @property
    def closed(self) -> bool:
        """Whether the recording has ended."""
        return self._closed

    def close(self) -> None:
        """The recording ends: what comes in late must not begin it anew. Waits for what is being written."""
        with self._lock:
            self._closed = True

    def open(self) -> None:
        """It goes on. Needs no lock, which whoever writes may hold while the recording starts."""
        self._closed = False

    def import_families(
        self,
        source: object,
        families: Iterable[Family],
        *,
        per_worker: bool = False,
        forgets_removed: bool = False,
    ) -> None:
        """Write what ``source`` shows now. Values that it shows no more are withdrawn; counts stay.

        With ``each`` this worker has series of its own besides, with the label ``worker``. ``ends``: see
        `dualmetrics.bridges.protocols.Collector`.
        """
        with self._lock:
            if self._closed:
                return
            now = time.time()
            shown: set[BoundSeries] = set()
            for family in families:
                self._write(source, family, now, shown)
                if per_worker:
                    self._write(source, self._of_worker(family), now, shown)
            self._withdraw(self.bindings.show(source, shown), forgets_removed)

    def end(self, source: object) -> None:
        """There is no such source any more: its values are withdrawn, its counts stay."""
        with self._lock:
            self._withdraw(self.bindings.end(source), ends=False)

    def import_sums(self, source: object, families: Iterable[Family]) -> None:
        """Write the sums that are not zero, and nothing else: for who is about to fork, or to end."""
        with self._lock:
            met: set[BoundSeries] = set()
            for family in families:
                if adds(family.descriptor):
                    points = tuple(point for point in family.points if any(point.cells))
                    self._write(source, replace(family, points=points), time.time(), met)

    def _write(self, source: object, family: Family, now: float, met: set[BoundSeries]) -> None:
        descriptor = family.descriptor
        found = [*self.bindings.find(source, family, met)]
        if adds(descriptor):
            for bound, point in found:
                self._add(bound, descriptor, point, now)
                if point.exemplars and point.exemplars != bound.exemplars:
                    self._exemplify(bound, descriptor, point, now)
        else:
            self._set(descriptor, found, now)

    def _add(self, bound: BoundSeries, descriptor: Descriptor, point: Point, now: float) -> None:
        cells, adding = _read(descriptor, point)
        if cells == bound.last:
            return
        last = bound.last or (0.0,) * len(cells)
        row = bound.row or self._bind(bound, descriptor, point, last[:adding])
        if _began_anew(bound, descriptor, point):
            last, bound.whole, bound.exponential = (0.0,) * len(cells), False, EMPTY
        for at, value in enumerate(cells[:adding]):
            row[at] = value if bound.whole else row[at] + (value - last[at])
        for at, value in enumerate(cells[adding:], adding):  # quantiles, and when they were seen
            row[at], row[-1] = value, now
        if bound.banks is not None and point.exponential is not None:
            # A lower scale than before is no matter: both are brought to it.
            bound.banks.merge(point.exponential.minus(bound.exponential) or point.exponential)
            bound.exponential = point.exponential
        bound.last, bound.start = cells, point.start_time_ns

    def _exemplify(self, bound: BoundSeries, descriptor: Descriptor, point: Point, now: float) -> None:
        """Keep the exemplars that are new, beside the row; those before a fork are kept by the parent."""
        if bound.row is None or not self._exemplars:
            return
        known = bound.exemplars or (None,) * len(point.exemplars)
        size = exemplar_slots.slot_size(point.exemplars)
        kept = self._store.slots(descriptor, point.attributes, size)
        for at, (new, old) in enumerate(zip(point.exemplars, known, strict=True)):
            if new is not None and new != old:
                exemplar_slots.write_slot(
                    kept, at, new if new.time_ns else new._replace(time_ns=int(now * 1e9)), size
                )
        bound.exemplars = point.exemplars

    def _set(self, descriptor: Descriptor, found: list[tuple[BoundSeries, Point]], now: float) -> None:
        read = [(bound, point, _read(descriptor, point)[0]) for bound, point in found]
        news = [entry for entry in read if entry[0].last != entry[2] or descriptor.observable]
        if news and descriptor.prometheus_type == "stateset":
            news = read  # one of the states of a worker must not outlive the others
        for bound, _, cells in news:
            unset = not bound.last and _may_be_unset(descriptor, cells, read[0][2])
            bound.stamp = _BIRTH if unset else now
            bound.last = cells
        for bound, point, cells in [entry for entry in read if entry[0].row is None or entry in news]:
            row = bound.row or self._bind(bound, descriptor, point, ())
            for at, value in enumerate(cells):
                row[at] = value
            row[-1] = bound.stamp

    def _bind(self, bound: BoundSeries, descriptor: Descriptor, point: Point, last: Sequence[float]) -> Row:
        row = bound.row = self._allocate(bound, descriptor, point)
        owner = self._owners.setdefault(id(row), bound)
        if owner is not bound:
            owner.whole = False  # it is the row of all that is past the cardinality limit
        bound.whole = owner is bound and row[: len(last)].tolist() == list(last)
        return row

    def _allocate(self, bound: BoundSeries, descriptor: Descriptor, point: Point) -> Row:
        began = point.start_time_ns or None
        if not descriptor.exponential:
            return self._store.row(descriptor, point.attributes, began)
        row, bound.banks = self._store.histogram_row(descriptor, point.attributes, began)
        return row

    def _withdraw(self, gone: set[BoundSeries], ends: bool) -> None:
        """Nobody has to know how values were; nor how sums were, if they end."""
        for bound in gone:
            if bound.timed:
                self._unset(bound)
        self.bindings.drop(bound for bound in gone if bound.timed or ends)

    def _unset(self, bound: BoundSeries) -> None:
        if bound.row is not None:
            bound.row[-1] = 0.0
        for other in bound.home[bound.key].chain():
            other.last = ()  # whoever shows it still sets it again

    def _of_worker(self, family: Family) -> Family:
        label = ("worker", str(self._store.worker_slot()))
        points = (point._replace(attributes=(*point.attributes, label)) for point in family.points)
        return replace(family, points=tuple(points))


def _read(descriptor: Descriptor, point: Point) -> tuple[tuple[float, ...], int]:
    """The cells without a time of their own, and how many of them add up over workers."""
    if descriptor.kind is Kind.GAUGE:
        return tuple(point.cells[:1]), 0
    if descriptor.kind is Kind.SUMMARY:
        return tuple(point.cells[:-1]), 2
    return tuple(point.cells), len(point.cells)


def _may_be_unset(descriptor: Descriptor, cells: tuple[float, ...], first: tuple[float, ...]) -> bool:
    """Whether a value may be one that nobody has set yet. An enum begins with the ``first`` of its states."""
    if descriptor.prometheus_type == "stateset":
        return any(first)
    return bool(descriptor.prometheus_type) and (descriptor.prometheus_type == "info" or not any(cells))


def _began_anew(bound: BoundSeries, descriptor: Descriptor, point: Point) -> bool:
    """Whether a total that only grows has fallen, or is another one of the same name."""
    if descriptor.kind is Kind.UP_DOWN_COUNTER or not bound.last:
        return False
    if descriptor.prometheus_type and bound.start != point.start_time_ns:
        return True
    counts = _COUNTS[descriptor.kind]
    return any(map(operator.lt, point.cells[counts], bound.last[counts]))
