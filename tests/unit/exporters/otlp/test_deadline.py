"""A push that does not end is reported as failed."""

from __future__ import annotations

from threading import Event

from dualmetrics.exporters.otlp.deadline import DeadlineExporter
from dualmetrics.exporters.otlp.result import ExportResult
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.threads import start_thread
from tests.waiting import wait_until

EMPTY = Snapshot(0, (), ())
ACCEPTED = ExportResult(True, 0, "")


class Slow:
    """A target that blocks until ``go`` is set."""

    def __init__(self) -> None:
        self.go = Event()
        self.pushes = 0

    def export(self, snapshot: Snapshot) -> ExportResult:
        self.pushes += 1
        assert self.go.wait(20)
        return ACCEPTED

    def shutdown(self) -> None:
        self.go.set()


def test_a_push_in_time_returns_its_result() -> None:
    slow = Slow()
    slow.go.set()
    assert DeadlineExporter(slow, 20, start_thread).export(EMPTY) == ACCEPTED


def test_no_push_starts_while_one_that_missed_the_deadline_still_runs() -> None:
    slow = Slow()
    exporter = DeadlineExporter(slow, 0.01, start_thread)
    assert exporter.export(EMPTY) == ExportResult(False, 0, "it had not ended after 0.01 seconds")
    assert exporter.export(EMPTY) == ExportResult(False, 0, "the previous push has not ended yet")
    assert slow.pushes == 1
    slow.go.set()
    wait_until(lambda: exporter.export(EMPTY) == ACCEPTED, 20, "the next push to be tried")
    assert slow.pushes >= 2


def test_shutdown_ends_a_push_that_still_runs() -> None:
    slow = Slow()
    exporter = DeadlineExporter(slow, 0.01, start_thread)
    assert not exporter.export(EMPTY).success
    exporter.shutdown()
    wait_until(lambda: exporter.export(EMPTY) == ACCEPTED, 20, "the push to end")
