"""A push that does not end holds up nobody."""

from __future__ import annotations

from threading import Event

from dualmetrics.exporters.otlp.deadline import DeadlineExporter
from dualmetrics.exporters.otlp.result import ExportResult
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.threads import start_thread
from tests.waiting import wait_until

EMPTY = Snapshot(0, (), ())
TAKEN = ExportResult(True, 0, "")


class Slow:
    """A target that takes a push once it is told to."""

    def __init__(self) -> None:
        self.go = Event()
        self.pushes = 0

    def export(self, snapshot: Snapshot) -> ExportResult:
        self.pushes += 1
        assert self.go.wait(20)
        return TAKEN


def test_a_push_in_time_gives_its_outcome() -> None:
    slow = Slow()
    slow.go.set()
    assert DeadlineExporter(slow, 20, start_thread).export(EMPTY) == TAKEN


def test_one_that_does_not_end_fails_and_no_other_begins_until_it_has_ended() -> None:
    slow = Slow()
    bounded = DeadlineExporter(slow, 0.01, start_thread)
    assert bounded.export(EMPTY) == ExportResult(False, 0, "it had not ended after 0.01 seconds")
    assert bounded.export(EMPTY) == ExportResult(False, 0, "the previous push has not ended yet")
    assert slow.pushes == 1
    slow.go.set()
    wait_until(lambda: bounded.export(EMPTY) == TAKEN, 20, "the next push to be tried")
    assert slow.pushes >= 2
