"""Recording from code that interrupts other code: signal handlers, finalizers, callbacks."""

from __future__ import annotations

import gc
import itertools
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import Telemetry
from dualmetrics.instruments import callback_runner
from tests.pages import get, page

TIMES, SIGNALS = 5_000, 500


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), cardinality_limit=100_000)
    yield telemetry
    assert telemetry.shutdown()


class CountingRecorder:
    """Adds one to a counter at each call, in a new series at every tenth, and counts its own calls."""

    def __init__(self, telemetry: Telemetry, by: str) -> None:
        self._telemetry = telemetry
        self._counter = telemetry.meter("app").create_counter(by)
        self._numbers = itertools.count()
        self.by = by
        self.times = 0

    def __call__(self) -> None:
        number = next(self._numbers)
        self._counter.add(1, {"number": str(number // 10)})
        self.times += 1

    def recorded(self) -> float:
        families = self._telemetry.snapshot().families
        return sum(
            point.cells[0]
            for family in families
            if family.descriptor.name == self.by
            for point in family.points
        )


def record_until(telemetry: Telemetry, record: CountingRecorder, is_enough: Callable[[], bool]) -> None:
    """Record until ``is_enough``; now and then scrape and create an instrument."""
    for number in itertools.count(1):
        record()
        if number % 500 == 0:
            telemetry.render()
            telemetry.meter("app").create_histogram(f"h{number}").record(1)
            if number >= TIMES and is_enough():
                return


@pytest.fixture
def alarms() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A function that lets an action interrupt the main thread two thousand times a second."""
    before = signal.getsignal(signal.SIGALRM)

    def each(action: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: action())
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)

    yield each
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_may_record_at_any_moment(
    telemetry: Telemetry, alarms: Callable[[Callable[[], None]], None]
) -> None:
    main, handler = CountingRecorder(telemetry, "main"), CountingRecorder(telemetry, "handler")
    alarms(handler)
    record_until(telemetry, main, lambda: handler.times >= SIGNALS)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert (main.recorded(), handler.recorded()) == (main.times, handler.times)


class InterruptionError(Exception):
    """What a signal handler raises, like KeyboardInterrupt or the timeout of a task queue."""


@pytest.fixture
def interrupted() -> Iterator[Callable[[Callable[[], object], float], None]]:
    """A function that repeats an action until a signal handler raises, after so many seconds."""

    def handle(*args: object) -> None:
        raise InterruptionError

    def repeat(action: Callable[[], object], seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            action()

    def until_interrupted(action: Callable[[], object], seconds: float) -> None:
        with pytest.raises(InterruptionError):
            repeat(action, seconds)

    before = signal.signal(signal.SIGALRM, handle)
    yield until_interrupted
    signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_may_raise_at_any_moment(
    telemetry: Telemetry, interrupted: Callable[[Callable[[], object], float], None]
) -> None:
    counter, store = telemetry.meter("app").create_counter("hits"), telemetry._components.store
    counter.add(1)
    families = {family.descriptor.name: family for family in telemetry.snapshot().families}
    descriptor = families["hits"].descriptor
    for number in range(2 * SIGNALS):
        interrupted(lambda: store.row(descriptor, ()), 1e-5 * (1 + number % 5))
    other = threading.Thread(target=counter.add, args=(1, {"thread": "other"}), daemon=True)
    other.start()
    other.join(10)
    assert not other.is_alive(), "it waits for a lock that is never released"
    counter.add(1, {"thread": "main"})
    assert telemetry.render()[1].decode().count("hits_total{") == 3, "nothing is deferred"


def test_ctrl_c_at_any_moment_of_a_scrape_keeps_nobody_from_the_page() -> None:
    shown = page()

    def scrape_until_interrupted(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)  # again, because finalizers swallow exceptions
        while True:
            get(shown)

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for number in range(4 * SIGNALS):
            with pytest.raises(KeyboardInterrupt):
                scrape_until_interrupted(1e-6 * (1 + number % 1000))
            signal.setitimer(signal.ITIMER_REAL, 0)
            other = threading.Thread(target=get, args=(shown,), daemon=True)
            other.start()
            other.join(10)
            assert not other.is_alive(), "it waits for a page that nobody renders"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_finalizer_and_a_callback_of_the_garbage_collector_may_record(telemetry: Telemetry) -> None:
    main, finalizer, collector = (
        CountingRecorder(telemetry, by) for by in ("main", "finalizer", "collector")
    )

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            finalizer()

    def collected(phase: str, info: dict[str, int]) -> None:
        collector()
        Cycle()

    threshold = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(20)
    try:
        record_until(telemetry, main, lambda: min(finalizer.times, collector.times) >= SIGNALS)
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*threshold)
        gc.collect()
    for each in (main, finalizer, collector):
        assert each.recorded() == each.times


def test_observable_callbacks_may_record_raise_sleep_or_never_return(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_runner, "SLOW_CALLBACK_SECONDS", 0.05)
    inside, ended, begun = CountingRecorder(telemetry, "inside"), threading.Event(), [0]

    def records(options: CallbackOptions) -> Iterable[Observation]:
        inside()
        yield Observation(1)

    def raises(options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(2)
        raise ZeroDivisionError

    def sleeps(options: CallbackOptions) -> Iterable[Observation]:
        ended.wait(0.02)
        yield Observation(3)

    def hangs(options: CallbackOptions) -> Iterable[Observation]:
        begun[0] += 1
        ended.wait(60)
        yield Observation(4)

    for callback in (hangs, raises, records, sleeps):
        telemetry.meter("app").create_observable_gauge(callback.__name__, [callback])
    try:
        for _ in range(4):
            telemetry.render()
        page = telemetry.render()[1].decode()
        lines = [line for line in page.splitlines() if line.startswith(("records{", "raises{", "sleeps{"))]
        assert sorted(line.rpartition(" ")[2] for line in lines) == ["1", "2", "3"]
        assert "\nhangs{" not in page
        assert begun == [1]
        assert inside.recorded() == inside.times >= 5
    finally:
        ended.set()
