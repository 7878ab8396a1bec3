"""Concurrent callers share a call, but never one that began before they arrived."""

from __future__ import annotations

import gc
import itertools
import random
import sys
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock

import pytest

from dualmetrics.scrape.single_flight import Caller, CallingThread, SingleFlight
from tests.forking import run_in_child

Wishes = Collection[Hashable]


class Work:
    """Numbered calls, each of which waits until it may go on. The third one fails."""

    fails = 2

    def __init__(self) -> None:
        self.begun = [Event() for _ in range(10)]
        self.go = [Event() for _ in range(10)]
        self.wishes: list[Wishes] = []
        self._numbers = itertools.count()

    def __call__(self, wishes: Wishes) -> int:
        number = next(self._numbers)
        self.wishes.append(wishes)
        self.begun[number].set()
        assert self.go[number].wait(10)
        if number == self.fails:
            raise OSError("the third one fails")
        return number


class Callers:
    """Callers of a `SingleFlight` that wait without a thread."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.work = Work()
        self.flight: SingleFlight[int] = SingleFlight()
        self._pool = pool

    def arrive(self, count: int, key: str = "page", wish: Hashable = None) -> list[Future[int]]:
        callers: list[Caller[int]] = [Caller(self._pool.submit, wish) for _ in range(count)]
        for caller in callers:
            self.flight.join(caller, key, self.work)
        return [caller.result for caller in callers]


@pytest.fixture
def callers() -> Iterator[Callers]:
    with ThreadPoolExecutor(4) as pool:
        made = Callers(pool)
        yield made
        for event in made.work.go:
            event.set()


def test_a_caller_that_arrives_during_a_call_shares_the_next_one(callers: Callers) -> None:
    work = callers.work
    first = callers.arrive(1)
    assert work.begun[0].wait(10)
    second = callers.arrive(300)
    assert not work.begun[1].is_set()  # one call at a time
    work.go[0].set()
    assert work.begun[1].wait(10)
    third = callers.arrive(3)
    work.go[1].set()
    assert [future.result(10) for future in first + second] == [0] + [1] * 300
    work.go[2].set()
    for future in third:
        with pytest.raises(OSError, match="the third one fails"):
            future.result(10)


def test_a_call_that_failed_is_not_remembered(callers: Callers) -> None:
    for event in callers.work.go:
        event.set()
    results = []
    for _ in range(4):
        [future] = callers.arrive(1)
        results.append("failed" if future.exception(10) else future.result())
    assert results == [0, 1, "failed", 3]


def test_calls_with_other_keys_run_one_after_the_other_in_the_order_in_which_they_were_wanted(
    callers: Callers,
) -> None:
    work = callers.work
    work.fails = -1
    first = callers.arrive(1)
    assert work.begun[0].wait(10)
    waiting = {key: callers.arrive(2, key) for key in "abc"}
    waiting = {key: futures + callers.arrive(1, key) for key, futures in waiting.items()}
    for number in range(4):
        assert work.begun[number].wait(10)
        assert not work.begun[number + 1].is_set()
        work.go[number].set()
    assert [future.result(10) for future in first] == [0]
    results = {key: [future.result(10) for future in futures] for key, futures in waiting.items()}
    assert results == {"a": [1] * 3, "b": [2] * 3, "c": [3] * 3}


def test_a_call_knows_what_all_who_share_it_wish(callers: Callers) -> None:
    work = callers.work
    first = callers.arrive(1, wish="gzip")
    assert work.begun[0].wait(10)
    later = [callers.arrive(2, wish=wish) for wish in ("gzip", "identity")]
    for event in work.go:
        event.set()
    assert [future.result(10) for future in itertools.chain(first, *later)] == [0, 1, 1, 1, 1]
    assert [set(wishes) for wishes in work.wishes] == [{"gzip"}, {"gzip", "identity"}]


def test_a_caller_that_cancels_does_not_end_the_wait_of_the_others(callers: Callers) -> None:
    work = callers.work
    first = callers.arrive(1)
    assert work.begun[0].wait(10)
    second = callers.arrive(5)
    assert all(future.cancel() for future in second[:3])
    work.go[0].set()
    work.go[1].set()
    assert [future.result(10) for future in first + second[3:]] == [0, 1, 1]


def test_a_call_for_which_nobody_waits_any_more_is_left_out(callers: Callers) -> None:
    work = callers.work
    callers.arrive(1)
    assert work.begun[0].wait(10)
    for future in itertools.chain(*(callers.arrive(3, f"page {number}") for number in range(300))):
        assert future.cancel()
    [last] = callers.arrive(1)
    work.go[0].set()
    work.go[1].set()
    assert last.result(10) == 1


def test_a_caller_cannot_cancel_a_call_that_has_begun(callers: Callers) -> None:
    [future] = callers.arrive(1)
    assert callers.work.begun[0].wait(10)
    assert not future.cancel()
    callers.work.go[0].set()
    assert future.result(10) == 0


class Starts:
    """Keeps the functions that it has to start, until the test calls them."""

    def __init__(self) -> None:
        self.functions: list[Callable[[], None]] = []

    def caller(self) -> Caller[str]:
        return Caller(self.functions.append)

    def run(self) -> None:
        while self.functions:
            self.functions.pop(0)()


def test_if_the_caller_that_was_to_run_a_call_cancels_another_one_runs_it() -> None:
    flight, gone, there = SingleFlight[str](), Starts(), Starts()
    first, second = gone.caller(), there.caller()
    for caller in (first, second):
        flight.join(caller, "page", lambda wishes: "shown")
    assert (len(gone.functions), len(there.functions)) == (1, 0)
    first.result.cancel()
    there.run()
    assert second.result.result(0) == "shown"
    gone.run()  # too late: it does nothing
    flight.join(caller := there.caller(), "page", lambda wishes: "shown again")
    there.run()
    assert caller.result.result(0) == "shown again"


def test_a_call_that_cannot_be_started_fails_and_the_next_one_is_tried() -> None:
    def start(run: Callable[[], None]) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    flight, starts = SingleFlight[str](), Starts()
    flight.join(running := starts.caller(), "first", lambda wishes: "shown")
    unlucky: list[Caller[str]] = [Caller(start) for _ in range(3000)]
    for number, caller in enumerate(unlucky):
        flight.join(caller, number, lambda wishes: "never")
    flight.join(last := starts.caller(), "last", lambda wishes: "shown")
    starts.run()
    assert [running.result.result(0), last.result.result(0)] == ["shown", "shown"]
    assert all(isinstance(caller.result.exception(0), RuntimeError) for caller in unlucky)


def test_an_interrupted_call_is_an_error_for_the_others_and_the_next_one_runs() -> None:
    def interrupted(wishes: Wishes) -> str:
        raise KeyboardInterrupt

    flight, starts = SingleFlight[str](), Starts()
    callers = [starts.caller() for _ in range(3)]
    for caller in callers:
        flight.join(caller, "page", interrupted)
    with pytest.raises(KeyboardInterrupt):
        starts.run()
    assert all(isinstance(caller.result.exception(0), RuntimeError) for caller in callers)
    flight.join(caller := starts.caller(), "page", lambda wishes: "shown")
    starts.run()
    assert caller.result.result(0) == "shown"


def test_a_forked_child_does_not_wait_for_the_calls_of_its_parent() -> None:
    flight, starts = SingleFlight[str](), Starts()
    flight.join(starts.caller(), "page", lambda wishes: "of the parent")
    starts.functions.clear()  # it is in progress in a thread that the child does not have

    def child() -> None:
        thread = CallingThread()
        caller: Caller[str] = Caller(thread)
        flight.join(caller, "page", lambda wishes: "of the child")
        thread.wait(caller.result)
        assert caller.result.result(0) == "of the child"

    run_in_child(child)


class Result:
    """Something that a weak reference can refer to."""


def test_a_result_is_freed_with_its_last_reader_without_the_garbage_collector() -> None:
    flight: SingleFlight[Result] = SingleFlight()
    gc.disable()
    try:
        for start in (CallingThread(), None):
            caller: Caller[Result] = Caller(start or (lambda run: run()))
            flight.join(caller, "page", lambda wishes: Result())
            if start is not None:
                start.wait(caller.result)
            result = weakref.ref(caller.result.result(0))
            assert result() is not None
            del caller, start
            assert result() is None
    finally:
        gc.enable()


class Clock:
    """Numbers what happens, and runs functions that tell when they began. Two must never run at once."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._busy = Lock()

    def now(self) -> int:
        return next(self._numbers)

    def __call__(self, wishes: Wishes) -> int:
        assert self._busy.acquire(blocking=False), "two calls at once"
        try:
            return self.now()
        finally:
            self._busy.release()


def wait_in_this_thread(flight: SingleFlight[int], clock: Clock, key: int) -> int:
    """The result of a call that this thread waits for, as a thread of a WSGI server does."""
    thread = CallingThread()
    caller: Caller[int] = Caller(thread)
    try:
        flight.join(caller, key, clock)
        thread.wait(caller.result)
    finally:
        caller.result.cancel()
    return caller.result.result(0)


def test_callers_of_all_kinds_that_come_and_go_get_a_call_that_began_after_they_arrived() -> None:
    flight, clock = SingleFlight[int](), Clock()

    def come_and_go(seed: int) -> int:
        chance, waiting = random.Random(seed), list[tuple[int, Future[int]]]()
        for _ in range(500):
            key, arrived = chance.randrange(4), clock.now()
            if chance.random() < 0.3:
                assert wait_in_this_thread(flight, clock, key) > arrived
                continue
            caller: Caller[int] = Caller(pool.submit)
            flight.join(caller, key, clock)
            if chance.random() < 0.5 or not caller.result.cancel():
                waiting.append((arrived, caller.result))
        assert all(result.cancelled() or result.result(20) > arrived for arrived, result in waiting)
        return len(waiting)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(8) as crowd:
            assert sum(crowd.map(come_and_go, range(8), timeout=60)) > 1000
    finally:
        sys.setswitchinterval(interval)
