"""Concurrent callers share a call, but never one that began before they arrived."""

from __future__ import annotations

import gc
import itertools
import random
import sys
import weakref
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import pytest

from dualmetrics.scrape.single_flight import Caller, CallingThread, SingleFlight, Start, Wishes
from tests.forking import run_in_child


class Waiter(Caller[Any]):
    """A caller that the test waits for."""

    def __init__(self, start: Start, wish: Hashable = None) -> None:
        self.woken = Event()
        super().__init__(start, self.woken.set, wish)

    def outcome(self, timeout: float = 10) -> Any:
        """The result, or the words of the error."""
        assert self.woken.wait(timeout)
        assert self.is_done
        return self.result if self.error is None else str(self.error)


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
        self.flight: SingleFlight[Any] = SingleFlight()
        self._pool = pool

    def arrive(self, count: int, key: str = "page", wish: Hashable = None) -> list[Waiter]:
        waiters = [Waiter(self._pool.submit, wish) for _ in range(count)]
        for waiter in waiters:
            self.flight.join(waiter, key, self.work)
        return waiters


def outcomes(waiters: list[Waiter]) -> list[Any]:
    return [waiter.outcome() for waiter in waiters]


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
    assert outcomes(first + second) == [0] + [1] * 300
    work.go[2].set()
    assert outcomes(third) == ["the third one fails"] * 3


def test_a_call_that_failed_is_not_remembered(callers: Callers) -> None:
    for event in callers.work.go:
        event.set()
    assert [outcomes(callers.arrive(1)) for _ in range(4)] == [[0], [1], ["the third one fails"], [3]]


def test_calls_with_other_keys_run_one_after_the_other_in_the_order_in_which_they_were_wanted(
    callers: Callers,
) -> None:
    work = callers.work
    work.fails = -1
    first = callers.arrive(1)
    assert work.begun[0].wait(10)
    waiting = {key: callers.arrive(2, key) for key in "abc"}
    waiting = {key: waiters + callers.arrive(1, key) for key, waiters in waiting.items()}
    for number in range(4):
        assert work.begun[number].wait(10)
        assert not work.begun[number + 1].is_set()
        work.go[number].set()
    assert outcomes(first) == [0]
    results = {key: outcomes(waiters) for key, waiters in waiting.items()}
    assert results == {"a": [1] * 3, "b": [2] * 3, "c": [3] * 3}


def test_a_call_knows_what_all_who_share_it_wish(callers: Callers) -> None:
    work = callers.work
    first = callers.arrive(1, wish="gzip")
    assert work.begun[0].wait(10)
    later = [*callers.arrive(2, wish="gzip"), *callers.arrive(2, wish="identity")]
    for event in work.go:
        event.set()
    assert outcomes(first + later) == [0, 1, 1, 1, 1]
    assert [set(wishes) for wishes in work.wishes] == [{"gzip"}, {"gzip", "identity"}]


def test_a_caller_that_leaves_does_not_end_the_wait_of_the_others(callers: Callers) -> None:
    work = callers.work
    first = callers.arrive(1)
    assert work.begun[0].wait(10)
    second = callers.arrive(5)
    assert all(callers.flight.leave(waiter) for waiter in second[:3])
    work.go[0].set()
    work.go[1].set()
    assert outcomes(first + second[3:]) == [0, 1, 1]
    assert not any(waiter.is_done for waiter in second[:3])


def test_a_call_for_which_nobody_waits_any_more_is_left_out(callers: Callers) -> None:
    work = callers.work
    callers.arrive(1)
    assert work.begun[0].wait(10)
    for number in range(300):
        for waiter in callers.arrive(3, f"page {number}"):
            assert callers.flight.leave(waiter)
    [last] = callers.arrive(1)
    work.go[0].set()
    work.go[1].set()
    assert last.outcome() == 1


def test_a_caller_cannot_leave_a_call_that_has_begun(callers: Callers) -> None:
    [waiter] = callers.arrive(1)
    assert callers.work.begun[0].wait(10)
    assert not callers.flight.leave(waiter)
    callers.work.go[0].set()
    assert waiter.outcome() == 0
    assert not callers.flight.leave(waiter)


class Starts:
    """Keeps the functions that it has to start, until the test calls them."""

    def __init__(self) -> None:
        self.functions: list[Callable[[], None]] = []

    def waiter(self) -> Waiter:
        return Waiter(self.functions.append)

    def run(self) -> None:
        while self.functions:
            self.functions.pop(0)()


def show(wishes: Wishes) -> str:
    return "shown"


def test_if_whoever_was_to_run_a_call_leaves_and_drops_it_another_caller_runs_it() -> None:
    flight, gone, there = SingleFlight[Any](), Starts(), Starts()
    first, second = gone.waiter(), there.waiter()
    for waiter in (first, second):
        flight.join(waiter, "page", show)
    assert (len(gone.functions), len(there.functions)) == (1, 0)
    gone.functions.clear()
    assert flight.leave(first)
    there.run()
    assert second.outcome(0) == "shown"


def test_a_thread_runs_a_call_also_if_the_caller_that_started_it_has_left() -> None:
    flight, pool, there = SingleFlight[Any](), Starts(), Starts()
    first, second = pool.waiter(), there.waiter()
    for waiter in (first, second):
        flight.join(waiter, "page", show)
    assert flight.leave(first)
    pool.run()
    assert second.outcome(0) == "shown"
    flight.join(waiter := there.waiter(), "page", show)
    there.run()
    assert waiter.outcome(0) == "shown"


def test_a_call_that_cannot_be_started_fails_and_the_next_one_is_tried() -> None:
    def start(run: Callable[[], None]) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    flight, starts = SingleFlight[Any](), Starts()
    flight.join(running := starts.waiter(), "first", show)
    unlucky = [Waiter(start) for _ in range(3000)]
    for number, waiter in enumerate(unlucky):
        flight.join(waiter, number, show)
    flight.join(last := starts.waiter(), "last", show)
    starts.run()
    assert outcomes([running, last]) == ["shown", "shown"]
    assert set(outcomes(unlucky)) == {"cannot schedule new futures after shutdown"}


def test_an_interrupted_call_is_an_error_for_the_others_and_the_next_one_runs() -> None:
    def interrupted(wishes: Wishes) -> str:
        raise KeyboardInterrupt

    flight, starts = SingleFlight[Any](), Starts()
    waiters = [starts.waiter() for _ in range(3)]
    for waiter in waiters:
        flight.join(waiter, "page", interrupted)
    with pytest.raises(KeyboardInterrupt):
        starts.run()
    assert outcomes(waiters) == ["interrupted"] * 3
    flight.join(waiter := starts.waiter(), "page", show)
    starts.run()
    assert waiter.outcome(0) == "shown"


def wait_in_this_thread(flight: SingleFlight[Any], key: Hashable, function: Callable[[Wishes], Any]) -> Any:
    """The result of a call that this thread waits for, as a thread of a WSGI server does."""
    thread = CallingThread()
    caller: Caller[Any] = Caller(thread.start, thread.wake)
    try:
        flight.join(caller, key, function)
        thread.wait()
    finally:
        flight.leave(caller)
    assert caller.is_done
    return caller.result


def test_a_forked_child_does_not_wait_for_the_calls_of_its_parent() -> None:
    flight, starts = SingleFlight[Any](), Starts()
    flight.join(starts.waiter(), "page", lambda wishes: "of the parent")

    def child() -> None:
        assert wait_in_this_thread(flight, "page", lambda wishes: "of the child") == "of the child"
        starts.run()  # what was the parent's does nothing here
        assert wait_in_this_thread(flight, "page", show) == "shown"

    run_in_child(child)


class Result:
    """Something that a weak reference can refer to."""


def test_a_result_is_freed_with_its_last_reader_without_the_garbage_collector() -> None:
    flight, starts = SingleFlight[Any](), Starts()
    gc.disable()
    try:
        result = weakref.ref(wait_in_this_thread(flight, "page", lambda wishes: Result()))
        assert result() is None
        flight.join(waiter := starts.waiter(), "page", lambda wishes: Result())
        starts.run()
        result = weakref.ref(waiter.outcome(0))
        assert result() is not None
        del waiter
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


def test_callers_of_all_kinds_that_come_and_go_get_a_call_that_began_after_they_arrived() -> None:
    flight, clock = SingleFlight[Any](), Clock()

    def come_and_go(seed: int) -> int:
        chance, waiting = random.Random(seed), list[tuple[int, Waiter]]()
        for _ in range(500):
            key, arrived = chance.randrange(4), clock.now()
            if chance.random() < 0.3:
                assert wait_in_this_thread(flight, key, clock) > arrived
                continue
            flight.join(waiter := Waiter(pool.submit), key, clock)
            if chance.random() < 0.5 or not flight.leave(waiter):
                waiting.append((arrived, waiter))
        assert all(waiter.outcome(20) > arrived for arrived, waiter in waiting)
        return len(waiting)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(8) as crowd:
            assert sum(crowd.map(come_and_go, range(8), timeout=60)) > 1000
    finally:
        sys.setswitchinterval(interval)
