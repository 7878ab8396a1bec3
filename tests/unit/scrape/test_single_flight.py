"""Concurrent scrapes share a rendering, but never one that began before they arrived."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock

import pytest

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import Choice
from dualmetrics.scrape.single_flight import SingleFlight
from tests.pages import body, endpoint, get
from tests.waiting import wait_until


class Key:
    """Counts how often it was looked up: a caller that has looked it up has joined a call."""

    def __init__(self) -> None:
        self.looked_up = 0

    def __hash__(self) -> int:
        self.looked_up += 1
        return 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key)


class Work:
    """Numbered calls, each of which waits until it may go on."""

    def __init__(self) -> None:
        self.begun = [Event() for _ in range(10)]
        self.go = [Event() for _ in range(10)]
        self._numbers = itertools.count()

    def __call__(self) -> int:
        number = next(self._numbers)
        self.begun[number].set()
        assert self.go[number].wait(10)
        if number == 2:
            raise OSError("the third one fails")
        return number


class Callers:
    """Threads that call a `SingleFlight` under one key."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.work = Work()
        self._pool = pool
        self._flight: SingleFlight[int] = SingleFlight()

    def arrive(self, count: int) -> list[Future[int]]:
        """Start ``count`` callers, and return when all of them have joined some call."""
        keys = [Key() for _ in range(count)]
        futures = [self._pool.submit(self._flight.call, key, self.work) for key in keys]
        wait_until(lambda: all(key.looked_up for key in keys), 10, "callers to arrive")
        return futures


@pytest.fixture
def callers() -> Iterator[Callers]:
    with ThreadPoolExecutor(16) as pool:
        made = Callers(pool)
        yield made
        for event in made.work.go:
            event.set()


def test_a_caller_that_arrives_during_a_call_shares_the_next_one(callers: Callers) -> None:
    work = callers.work
    first = callers.arrive(1)
    assert work.begun[0].wait(10)
    second = callers.arrive(5)
    assert not work.begun[1].is_set()  # one call at a time
    work.go[0].set()
    assert work.begun[1].wait(10)
    third = callers.arrive(3)
    work.go[1].set()
    assert [future.result(10) for future in first + second] == [0, 1, 1, 1, 1, 1]
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


def test_calls_with_other_keys_are_not_shared() -> None:
    flight: SingleFlight[str] = SingleFlight()
    assert [flight.call(key, key.upper) for key in ("a", "b", "a")] == ["A", "B", "A"]


def test_a_page_shows_everything_that_was_counted_before_it_was_asked_for() -> None:
    latest, lock = 0, Lock()

    def render(choice: Choice, names: Collection[str]) -> Page:
        return Page("text/plain", [str(latest).encode()])

    answering = endpoint(render)

    def scrape() -> None:
        nonlocal latest
        for _ in range(200):
            with lock:
                latest += 1
                before = latest
            assert int(body(get(answering))) >= before

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            for future in [pool.submit(scrape) for _ in range(8)]:
                future.result(60)
    finally:
        sys.setswitchinterval(interval)


def test_scrapes_of_other_formats_and_filters_do_not_share_a_page() -> None:
    def render(choice: Choice, names: Collection[str]) -> Page:
        return Page("text/plain", [repr((choice.format.dialect, sorted(names))).encode()])

    answering = endpoint(render)
    openmetrics = {"accept": "application/openmetrics-text"}
    asked = [({}, ""), (openmetrics, ""), ({}, "name[]=a"), (openmetrics, "name[]=a&name[]=b")]
    with ThreadPoolExecutor(16) as pool:
        futures = [(one, pool.submit(get, answering, one[0], query=one[1])) for one in asked * 20]
        for (headers, query), future in futures:
            names = [part.partition("=")[2] for part in query.split("&") if part]
            assert body(future.result(10)).decode() == repr(("openmetrics" if headers else "text", names))
