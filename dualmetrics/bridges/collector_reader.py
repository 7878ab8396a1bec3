"""Reading one foreign collector."""

from __future__ import annotations

import threading
import time

from opentelemetry.metrics import CallbackOptions

from dualmetrics.bridges.protocols import MetricCollector
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import ErrorReporter


class CollectorReader:
    """Reads one collector at a time that it is asked to, as an observable instrument is (see `Observers`)."""

    def __init__(self, collector: MetricCollector, rows: SeriesImporter, errors: ErrorReporter) -> None:
        self.collector = collector
        self.name = collector.name
        self.once_per_group = collector.once_per_group
        self._rows = rows
        self._errors = errors
        self.turn = threading.Lock()
        self.cost = 0.0
        """Seconds of a processor that the last read took."""
        self._ended = False

    def observe(self, options: CallbackOptions) -> None:
        """Read it, and share what it shows. One that raises costs its own metrics and one log line."""
        with self.turn:
            began = time.thread_time()
            families = self._families()
            ends = families is not None and self.collector.forgets_removed
            try:
                self._rows.import_families(
                    self, families or (), per_worker=self.collector.per_worker, forgets_removed=ends
                )
            except Exception as error:
                self._failed(error)
            if self._ended:
                self._rows.end(self)
            self.cost = time.thread_time() - began

    def end(self) -> None:
        """The collector is there no more; a read of it may still be under way."""
        self._ended = True
        self._rows.end(self)

    def import_sums(self) -> None:
        """Share its sums. The caller has its turn."""
        self._rows.import_sums(self, self._families() or ())

    def _families(self) -> list[Family] | None:
        """What it shows, None if it failed."""
        try:
            return list(self.collector.read())
        except Exception as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        self._errors.count()
        message = "dualmetrics: the collector %s failed (%s: %s); its metrics are left out meanwhile"
        self._errors.log_once(f"collector {self.name}", message, self.name, type(error).__name__, error)
