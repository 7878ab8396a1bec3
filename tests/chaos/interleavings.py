"""Runs two workers so that one is stopped between two of its calls of the file system, and the other goes on.

The workers are stores in two threads. They share no lock but those of files, as processes do. A plan says how
many calls the first makes until it is stopped, and how many the second makes then, until it is stopped too.
After that the first runs to its end, and then the second. All such plans are tried, so every fault is found
that needs no more than these two changes.
"""

from __future__ import annotations

import fcntl
import gc
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.chaos.crash_injection import FILE_SYSTEM_CALLS

TIMEOUT = 30.0


class Plan(NamedTuple):
    """How many calls each makes before it is stopped."""

    first: int
    second: int


class Schedule:
    """Lets one of two threads go on at a time."""

    def __init__(self, plan: Plan) -> None:
        self._left: list[float] = [plan.first, plan.second]
        self._may_go = [threading.Event(), threading.Event()]
        self._ended = [False, False]
        self._numbers: dict[int, int] = {}
        self.calls = [0, 0]
        self._may_go[0].set()

    def begin(self, number: int) -> None:
        """Say which of the two this thread is, and wait for its turn."""
        self._numbers[threading.get_ident()] = number
        assert self._may_go[number].wait(TIMEOUT), "nobody goes on"

    def step(self) -> None:
        """Use the turn of this thread for one call, or hand it over. Other threads are not concerned."""
        number = self._numbers.get(threading.get_ident())
        if number is None:
            return
        other = 1 - number
        if self._left[number] <= 0 and not self._ended[other]:
            self._left[number] = math.inf  # when it goes on, it goes on to its end
            self._may_go[number].clear()
            self._may_go[other].set()
            assert self._may_go[number].wait(TIMEOUT), "nobody goes on"
        self._left[number] -= 1
        self.calls[number] += 1

    def end(self, number: int) -> None:
        """Hand the turn over for good."""
        self._numbers.pop(threading.get_ident())
        self._ended[number] = True
        self._may_go[1 - number].set()


@contextmanager
def _observed(step: Callable[[], None]) -> Iterator[None]:
    """Call ``step`` before each call of the file system."""
    originals: list[tuple[Any, str, Any]] = [(os, name, getattr(os, name)) for name in FILE_SYSTEM_CALLS]
    originals.append((fcntl, "flock", fcntl.flock))
    try:
        for module, name, call in originals:
            setattr(module, name, _after(step, call))
        yield
    finally:
        for module, name, call in originals:
            setattr(module, name, call)


def _after(step: Callable[[], None], call: Callable[..., Any]) -> Callable[..., Any]:
    def observed(*args: Any, **kwargs: Any) -> Any:
        step()
        return call(*args, **kwargs)

    return observed


def run(plan: Plan, first: Callable[[], object], second: Callable[[], object]) -> list[int]:
    """Run both by the plan. Returns how many calls each has made; raises what one of them raises."""
    schedule, failures = Schedule(plan), list[BaseException]()

    def work(number: int, do: Callable[[], object]) -> None:
        schedule.begin(number)
        try:
            do()
        except BaseException as error:
            failures.append(error)
        finally:
            schedule.end(number)

    gc.collect(0)
    gc.disable()  # finalizers close files, at moments that no plan knows
    with _observed(schedule.step):
        threads = [threading.Thread(target=work, args=pair) for pair in enumerate((first, second))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    gc.enable()
    if failures:
        raise AssertionError(f"{plan}: {failures}") from failures[0]
    return schedule.calls


def plans(calls: Callable[[Plan], list[int]]) -> Iterator[Plan]:
    """Try all plans: ``calls`` runs one, and returns how many calls each has made."""
    made = [1, 1]
    for first in itertools.takewhile(lambda number: number < made[0], itertools.count()):
        made[1] = 2
        for second in itertools.takewhile(lambda number: number <= made[1], itertools.count(1)):
            made[:] = calls(Plan(first, second))
            yield Plan(first, second)
