"""Giving up a push that does not end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from dualmetrics.exporters.otlp.result import ExportResult
from dualmetrics.model.snapshot import Snapshot


class Exporter(Protocol):
    """What of a `Target` is needed here. It never raises."""

    def export(self, snapshot: Snapshot) -> ExportResult: ...


class DeadlineExporter:
    """A target whose pushes are taken to have failed after ``seconds``.

    The timeout of HTTP is one for each read: who answers a byte a second holds a push for ever. It goes on in
    a thread of its own, and until it has ended there is no other.
    """

    def __init__(self, target: Exporter, seconds: float, start_thread: Callable[..., bool]) -> None:
        """``start_thread(name, function)`` gives False where no thread can be had."""
        self._target = target
        self._seconds = seconds
        self._start_thread = start_thread
        self._push: _Push | None = None

    def export(self, snapshot: Snapshot) -> ExportResult:
        """Push one snapshot, and say what is known of it in time."""
        if self._push is not None and self._push.outcome is None:
            return ExportResult(False, 0, "the push before has not ended yet")
        self._push = push = _Push(self._target, snapshot)
        if not self._start_thread("dualmetrics push", push.run):
            push.run()  # as at the end of the interpreter, and then without a limit
        return push.wait(self._seconds)


class _Push:
    """One push under way."""

    def __init__(self, target: Exporter, snapshot: Snapshot) -> None:
        self.outcome: ExportResult | None = None
        self._target = target
        self._snapshot = snapshot
        self._ended = threading.Event()

    def run(self) -> None:
        """Push."""
        self.outcome = self._target.export(self._snapshot)
        self._ended.set()

    def wait(self, seconds: float) -> ExportResult:
        """What became of it; a failure if that is not known in time."""
        self._ended.wait(seconds)
        return self.outcome or ExportResult(False, 0, f"it had not ended after {seconds:g} seconds")
