"""The sources of one Telemetry, and a reader for each of their collectors."""

from __future__ import annotations

from dualmetrics.bridges.collector_reader import CollectorReader
from dualmetrics.bridges.protocols import MetricSource
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock


class CollectorReaders:
    """All readers. A collector keeps its reader as long as its source has it. Safe for several threads."""

    def __init__(self, importer: SeriesImporter, errors: ErrorReporter) -> None:
        self.sources: list[MetricSource] = []
        self._importer = importer
        self._errors = errors
        self._readers: dict[int, CollectorReader] = {}
        self._lock = ReentrantLock()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """The locks may be held by threads that the child does not have."""
        self._lock = ReentrantLock()
        for reader in self._readers.values():
            reader.after_fork_in_child()

    def current(self) -> list[CollectorReader]:
        """The readers of the collectors that the sources have now. Ends those of collectors that are gone."""
        with self._lock:  # two readers of one collector would import its sums twice
            previous = self._readers
            collectors = [collector for source in self.sources for collector in source.collectors()]
            current = self._readers = {
                id(collector): previous.get(id(collector))
                or CollectorReader(collector, self._importer, self._errors)
                for collector in collectors
            }
        for key in previous.keys() - current.keys():
            previous[key].end()
        return list(current.values())

    def cheap(self) -> list[CollectorReader]:
        """The readers of cheap collectors (see `MetricCollector`)."""
        return [reader for reader in self.current() if reader.collector.cheap]

    def cost_of_cheap(self) -> float:
        """Processor time of the last read of all cheap collectors, in seconds."""
        return sum(reader.cost for reader in self._readers.values() if reader.collector.cheap)
