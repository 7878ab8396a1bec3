"""Imports the metrics of other libraries, such as those of a Prometheus registry, into this worker's rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.bound_series import BoundSeries
from dualmetrics.bridges.cell_layout import is_additive
from dualmetrics.bridges.counter_tracker import CounterTracker
from dualmetrics.bridges.counter_writer import CounterWriter
from dualmetrics.bridges.gauge_tracker import GaugeTracker
from dualmetrics.bridges.gauge_writer import GaugeWriter
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime import forking
from dualmetrics.runtime.locks import ReentrantLock


class SeriesImporter:
    """Writes the families that sources show to rows. Safe for several threads.

    A source is any hashable object: it is what shows the series.
    """

    def __init__(
        self,
        store: GroupStore,
        on_duplicate: Callable[[str], object] = lambda name: None,
        *,
        exemplars: bool = True,
    ) -> None:
        """``exemplars``: whether exemplars are imported. ``on_duplicate``: see `SeriesTable`."""
        self._store = store
        self.counters = CounterWriter(store, on_duplicate, exemplars)
        self.gauges = GaugeWriter(store, on_duplicate)
        self._closed = False
        self.after_fork_in_child()
        store.on_invalidate(self.invalidate)
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """The lock may have been held by a thread that the child does not have."""
        self._lock = ReentrantLock()

    def invalidate(self) -> None:
        """Forget all rows, which are no longer valid, but not how the series were when last read."""
        self.counters.invalidate()
        self.gauges.invalidate()

    @property
    def closed(self) -> bool:
        """Whether recording has ended in this process."""
        return self._closed

    def close(self) -> None:
        """Import nothing more: a late read must not start the recording again. Waits for a running import."""
        with self._lock:
            self._closed = True

    def open(self) -> None:
        """Import again. Takes no lock, since an import that is running may start the recording."""
        self._closed = False

    def import_families(
        self,
        source: object,
        families: Iterable[Family],
        *,
        per_worker: bool = False,
        forgets_removed: bool = False,
    ) -> None:
        """Write what ``source`` shows now. Values that it no longer shows are removed; totals stay.

        With ``per_worker`` each series is also written with the label ``worker``. ``forgets_removed``: see
        `dualmetrics.bridges.protocols.MetricCollector`.
        """
        with self._lock:
            if self._closed:
                return
            now = time.time()
            counters: set[BoundSeries[CounterTracker]] = set()
            gauges: set[BoundSeries[GaugeTracker]] = set()
            for family in self._with_worker_label(families) if per_worker else families:
                if is_additive(family.descriptor):
                    self.counters.write(source, family, now, counters)
                else:
                    self.gauges.write(source, family, now, gauges)
            self.counters.withdraw(source, counters, forgets_removed)
            self.gauges.withdraw(source, gauges)

    def remove_source(self, source: object) -> None:
        """Remove the values that ``source`` showed. Its totals stay."""
        with self._lock:
            self.counters.table.remove_source(source)
            self.gauges.remove_source(source)

    def import_sums(self, source: object, families: Iterable[Family]) -> None:
        """Write only the totals that are not zero: before a fork, and at exit."""
        with self._lock:
            matched: set[BoundSeries[CounterTracker]] = set()
            for family in families:
                if is_additive(family.descriptor):
                    points = tuple(point for point in family.points if any(point.cells))
                    self.counters.write(source, replace(family, points=points), time.time(), matched)

    def _with_worker_label(self, families: Iterable[Family]) -> Iterator[Family]:
        for family in families:
            yield family
            # The slot is known once the first row is written, which the family above may have done.
            label = ("worker", str(self._store.worker_slot()))
            points = (point._replace(attributes=(*point.attributes, label)) for point in family.points)
            yield replace(family, points=tuple(points))
