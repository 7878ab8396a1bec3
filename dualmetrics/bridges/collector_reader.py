"""Reads one collector of another library."""

from __future__ import annotations

import threading
import time

from opentelemetry.metrics import CallbackOptions

from dualmetrics.bridges.protocols import MetricCollector
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import ErrorReporter


class CollectorReader:
    """Reads one collector and imports what it shows, in one thread at a time.

    It can be run like an observable instrument (see `CallbackRunner`).
    """

    def __init__(self, collector: MetricCollector, importer: SeriesImporter, errors: ErrorReporter) -> None:
        self.collector = collector
        self.name = collector.name
        self.once_per_group = collector.once_per_group
        self.cost = 0.0
        """Processor time of the last read, in seconds."""
        self._importer = importer
        self._errors = errors
        self._ended = False
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """The lock may be held by a thread that the child does not have."""
        self._reading = threading.Lock()

    def hold(self, timeout: float = 0.0) -> bool:
        """Keep other threads from reading until `release`.

        False if another thread is still reading after ``timeout`` seconds.
        """
        return self._reading.acquire(timeout=timeout)

    def release(self) -> None:
        """Let other threads read again."""
        self._reading.release()

    def observe(self, options: CallbackOptions) -> None:
        """Read the collector and import what it shows.

        If it raises, its metrics are left out, and the log says so once.
        """
        with self._reading:
            started = time.thread_time()
            families = self._read()
            try:
                self._importer.import_families(
                    self,
                    families or (),
                    per_worker=self.collector.per_worker,
                    # A failed read does not mean that its series are gone for good.
                    forgets_removed=families is not None and self.collector.forgets_removed,
                )
            except Exception as error:
                self._report(error)
            if self._ended:
                self._importer.remove_source(self)
            self.cost = time.thread_time() - started

    def import_sums(self) -> None:
        """Import the totals only. The caller holds this reader."""
        self._importer.import_sums(self, self._read() or ())

    def end(self) -> None:
        """Remove the collector's values: it is gone. A read that is still running is undone when it ends."""
        self._ended = True
        self._importer.remove_source(self)

    def _read(self) -> list[Family] | None:
        """What the collector shows; None if it failed."""
        try:
            return list(self.collector.read())
        except Exception as error:
            self._report(error)
            return None

    def _report(self, error: Exception) -> None:
        self._errors.count()
        message = (
            "dualmetrics: the collector %s failed (%s: %s); its metrics are left out until it works again. "
            "Look for the cause there; all other metrics are exported"
        )
        self._errors.log_once(f"collector {self.name}", message, self.name, type(error).__name__, error)
