"""Writers that come and go, folders and readers, all at once on one directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.unit.stores import COUNTER, HISTOGRAM, UP_DOWN, values, worker

WRITERS, LIVES, COUNTS = 3, 40, 25
TOTAL = float(WRITERS * LIVES * COUNTS)
DONE = "all-written"


def in_child(work: Callable[[], None]) -> int:
    """The pid of a child that does it, and ends without any handler."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


def succeeded(pids: list[int]) -> list[bool]:
    """Of each child, whether it came to its end."""
    return [os.waitpid(pid, 0)[1] == 0 for pid in pids]


def live(directory: Path) -> None:
    """One worker's life: born, counting, dead without a word."""
    store = worker(directory)
    counter, histogram, active = (store.row(kind, ()) for kind in (COUNTER, HISTOGRAM, UP_DOWN))
    for _ in range(COUNTS):
        active[0] += 1.0
        counter[0] += 1.0
        histogram[1] += 1.0


def write(directory: Path) -> None:
    """Worker after worker, some of which fold as well."""
    for number in range(LIVES):
        assert succeeded([in_child(lambda: live(directory))]) == [True]
        if number % 5 == 0:
            assert succeeded([in_child(lambda: worker(directory).fold())]) == [True]


def fold(directory: Path, done: Path) -> None:
    """Fold without a pause until all is written."""
    store = worker(directory)
    while not done.exists():
        store.fold()


def read(directory: Path, done: Path) -> None:
    """Read without a pause: what is counted never goes backwards, and the start never moves."""
    store, before, start = worker(directory), 0.0, None
    while before < TOTAL or not done.exists():
        family = next((f for f in store.read().families if f.descriptor == COUNTER), None)
        if family is None:
            continue
        point = family.points[0]
        assert before <= point.cells[0] <= TOTAL
        assert start in (None, point.start_time_ns)
        before, start = point.cells[0], point.start_time_ns


def test_writers_folders_and_readers_at_once_agree_at_every_moment(tmp_path: Path) -> None:
    directory, done = tmp_path / "group", tmp_path / DONE
    directory.mkdir(mode=0o700)
    watching = [in_child(partial(work, directory, done)) for work in (fold, fold, read, read)]
    written = succeeded([in_child(lambda: write(directory)) for _ in range(WRITERS)])
    done.touch()
    assert written == [True] * WRITERS
    assert succeeded(watching) == [True] * 4
    last = worker(directory)
    last.fold()
    assert values(last, COUNTER) == {(): [TOTAL]}
    assert values(last, HISTOGRAM) == {(): [0.0, TOTAL, 0.0, 0.0]}
    assert values(last, UP_DOWN) == {(): [0.0]}
