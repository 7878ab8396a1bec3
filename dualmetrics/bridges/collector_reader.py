"""Reading one foreign collector."""

from __future__ import annotations

import threading
import time

from opentelemetry.metrics import CallbackOptions

from dualmetrics.bridges.protocols import Collector
from dualmetrics.bridges.series_importer import ForeignRows
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import Trouble


class CollectorReading:
    """Reads one collector at a time that it is asked to, as an observable instrument is (see `Observers`)."""

    def __init__(self, collector: Collector, rows: ForeignRows, trouble: Trouble) -> None:
        self.collector = collector
        self.name = collector.name
        self.once_per_group = collector.once_per_group
        self._rows = rows
        self._trouble = trouble
        self.turn = threading.Lock()
        self.cost = 0.0
        """Seconds of a processor that the last read took."""
        self._ended = False

    def observe(self, options: CallbackOptions) -> None:
        """Read it, and share what it shows. One that raises costs its own metrics and one log line."""
        with self.turn:
            began = time.thread_time()
            families = self._families()
            ends = families is not None and self.collector.ends
            try:
                self._rows.share(self, families or (), each=self.collector.each, ends=ends)
            except Exception as error:
                self._failed(error)
            if self._ended:
                self._rows.end(self)
            self.cost = time.thread_time() - began

    def end(self) -> None:
        """The collector is there no more; a read of it may still be under way."""
        self._ended = True
        self._rows.end(self)

    def settle(self) -> None:
        """Share its sums. The caller has its turn."""
        self._rows.settle(self, self._families() or ())

    def _families(self) -> list[Family] | None:
        """What it shows, None if it failed."""
        try:
            return list(self.collector.read())
        except Exception as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        self._trouble.count()
        message = "dualmetrics: the collector %s failed (%s: %s); its metrics are left out meanwhile"
        self._trouble.once(f"collector {self.name}", message, self.name, type(error).__name__, error)
