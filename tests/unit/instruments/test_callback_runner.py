"""A callback that is slow, hangs or starts a round itself does not hold up others."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.metrics import CallbackOptions

from dualmetrics.instruments import callback_runner
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.runtime.errors import ErrorReporter


class BlockableInstrument:
    """An instrument whose callback waits while its gate is closed."""

    once_per_group = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = threading.Event()
        self.gate.set()
        self.calls = threading.Semaphore(0)
        self.completed = 0

    def observe(self, options: CallbackOptions) -> None:
        self.calls.release()
        self.gate.wait(30)
        self.completed += 1


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_runner, "SLOW_CALLBACK_SECONDS", 0.05)


def make_runner(*names: str) -> tuple[CallbackRunner, list[BlockableInstrument]]:
    runner = CallbackRunner(ErrorReporter())
    instruments = [BlockableInstrument(name) for name in names]
    for instrument in instruments:
        runner.add(instrument)
    return runner, instruments


def test_each_callback_runs_once_per_round() -> None:
    runner, instruments = make_runner("a", "b", "c")
    runner.run(is_leader=True)
    runner.run(is_leader=True)
    assert [instrument.completed for instrument in instruments] == [2, 2, 2]


def test_hanging_callback_does_not_hold_up_others() -> None:
    runner, (first, hanging, last) = make_runner("first", "hanging", "last")
    hanging.gate.clear()
    runner.run(is_leader=True)
    assert (first.completed, last.completed) == (1, 1)
    hanging.gate.set()


def test_running_callback_is_skipped_until_it_has_returned() -> None:
    runner, (hanging, other) = make_runner("hanging", "other")
    hanging.gate.clear()
    runner.run(is_leader=True)
    runner.run(is_leader=True)
    assert other.completed == 2
    assert hanging.calls.acquire(timeout=1)
    assert not hanging.calls.acquire(blocking=False), "it was called again while it ran"
    hanging.gate.set()
    while hanging.completed < 2:
        runner.run(is_leader=True)


def test_callback_that_starts_a_round_does_not_wait_for_itself() -> None:
    runner, (outer,) = make_runner("outer")

    class Nested(BlockableInstrument):
        def observe(self, options: CallbackOptions) -> None:
            runner.run(is_leader=True, timeout=0.05)
            super().observe(options)

    nested = Nested("nested")
    runner.add(nested)
    runner.run(is_leader=True)
    assert outer.completed == 1
    while not nested.completed:
        nested.calls.acquire(timeout=1)
