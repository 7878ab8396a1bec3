"""A callback that is late, hangs or asks for the totals itself holds up nobody."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.metrics import CallbackOptions

from dualmetrics.instruments import callback_runner
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.runtime.errors import ErrorReporter


class Callback:
    """Something observed, with a gate that may be shut."""

    once_per_group = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Semaphore(0)
        self.times = 0

    def observe(self, options: CallbackOptions) -> None:
        self.began.release()
        self.gate.wait(30)
        self.times += 1


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_runner, "SLOW_CALLBACK_SECONDS", 0.05)


def made(*names: str) -> tuple[CallbackRunner, list[Callback]]:
    together = CallbackRunner(ErrorReporter())
    callbacks = [Callback(name) for name in names]
    for callback in callbacks:
        together.add(callback)
    return together, callbacks


def test_each_callback_runs_once_a_round() -> None:
    together, callbacks = made("a", "b", "c")
    together.run(is_leader=True)
    together.run(is_leader=True)
    assert [callback.times for callback in callbacks] == [2, 2, 2]


def test_a_callback_that_hangs_does_not_hold_up_the_others() -> None:
    together, (first, hung, last) = made("first", "hung", "last")
    hung.gate.clear()
    together.run(is_leader=True)
    assert (first.times, last.times) == (1, 1)
    hung.gate.set()


def test_a_callback_that_still_runs_is_left_out_and_taken_again_when_it_has_returned() -> None:
    together, (hung, other) = made("hung", "other")
    hung.gate.clear()
    together.run(is_leader=True)
    together.run(is_leader=True)
    assert other.times == 2
    assert hung.began.acquire(timeout=1)
    assert not hung.began.acquire(blocking=False), "it was called again while it ran"
    hung.gate.set()
    while hung.times < 2:
        together.run(is_leader=True)


def test_a_callback_that_asks_for_the_totals_does_not_wait_for_itself() -> None:
    together, (callback,) = made("outer")

    class Asking(Callback):
        def observe(self, options: CallbackOptions) -> None:
            together.run(is_leader=True, timeout=0.05)
            super().observe(options)

    asking = Asking("asking")
    together.add(asking)
    together.run(is_leader=True)
    assert callback.times == 1
    while not asking.times:
        asking.began.acquire(timeout=1)
