"""Limits how long a push may take."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from dualmetrics.exporters.otlp.result import ExportResult
from dualmetrics.model.snapshot import Snapshot


class Exporter(Protocol):
    """Something that pushes snapshots and never raises, such as `OtlpExporter`."""

    def export(self, snapshot: Snapshot) -> ExportResult: ...

    def shutdown(self) -> None: ...


class DeadlineExporter:
    """Reports a push that takes longer than ``seconds`` as failed.

    The timeout of an HTTP client applies to each read, so a server that sends one byte a second can hold a
    push forever. Each push runs in a thread of its own; the next one starts only after it has ended.
    """

    def __init__(self, target: Exporter, seconds: float, start_thread: Callable[..., bool]) -> None:
        """``start_thread(name, function)`` returns False if no thread can be started."""
        self._target = target
        self._seconds = seconds
        self._start_thread = start_thread
        self._push: _Push | None = None

    def export(self, snapshot: Snapshot) -> ExportResult:
        """Push a snapshot and wait for the result, but no longer than the deadline."""
        if self._push is not None and self._push.result is None:
            return ExportResult(False, 0, "the previous push has not ended yet")
        self._push = push = _Push(self._target, snapshot)
        if not self._start_thread("dualmetrics push", push.run):
            push.run()  # no thread can be started while the interpreter shuts down; push without a deadline
        return push.wait(self._seconds)

    def shutdown(self) -> None:
        """Close the connections, and end a push that still runs."""
        self._target.shutdown()


class _Push:
    """A push that runs in another thread."""

    def __init__(self, target: Exporter, snapshot: Snapshot) -> None:
        self.result: ExportResult | None = None
        self._target = target
        self._snapshot = snapshot
        self._ended = threading.Event()

    def run(self) -> None:
        self.result = self._target.export(self._snapshot)
        self._ended.set()

    def wait(self, seconds: float) -> ExportResult:
        """The result; a failure if there is none in time."""
        self._ended.wait(seconds)
        return self.result or ExportResult(False, 0, f"it had not ended after {seconds:g} seconds")
