"""Workers that come and go while others fold and read, all at the same time on one directory."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.forking import fork, run_in_child
from tests.unit.stores import COUNTER, HISTOGRAM, UP_DOWN, values, worker

WRITERS, WORKERS_PER_WRITER, COUNTS = 3, 40, 25
TOTAL = float(WRITERS * WORKERS_PER_WRITER * COUNTS)
DONE = "all-written"


def wait_for(pids: list[int]) -> list[bool]:
    """Wait for the children. Returns for each whether it succeeded."""
    return [os.waitpid(pid, 0)[1] == 0 for pid in pids]


def count_and_die(directory: Path) -> None:
    """Be a worker that starts, counts, and dies without any clean-up."""
    store = worker(directory)
    counter, histogram, active = (store.row(kind, ()) for kind in (COUNTER, HISTOGRAM, UP_DOWN))
    for _ in range(COUNTS):
        active[0] += 1.0
        counter[0] += 1.0
        histogram[1] += 1.0


def write(directory: Path) -> None:
    """Start one worker after the other, and sometimes another one that folds."""
    for number in range(WORKERS_PER_WRITER):
        run_in_child(lambda: count_and_die(directory))
        if number % 5 == 0:
            run_in_child(lambda: worker(directory).fold())


def fold(directory: Path, done: Path) -> None:
    """Fold without a pause until everything is written."""
    store = worker(directory)
    while not done.exists():
        store.fold()


def read(directory: Path, done: Path) -> None:
    """Read without a pause: the counter never goes down, and its start time never moves."""
    store, before, start = worker(directory), 0.0, None
    while before < TOTAL or not done.exists():
        family = next((f for f in store.read().families if f.descriptor == COUNTER), None)
        if family is None:
            continue
        point = family.points[0]
        assert before <= point.cells[0] <= TOTAL
        assert start in (None, point.start_time_ns)
        before, start = point.cells[0], point.start_time_ns


def test_totals_are_right_at_every_moment_while_workers_write_fold_and_read(tmp_path: Path) -> None:
    directory, done = tmp_path / "group", tmp_path / DONE
    directory.mkdir(mode=0o700)
    others = [fork(partial(work, directory, done)) for work in (fold, fold, read, read)]
    written = wait_for([fork(lambda: write(directory)) for _ in range(WRITERS)])
    done.touch()
    assert written == [True] * WRITERS
    assert wait_for(others) == [True] * 4
    last = worker(directory)
    last.fold()
    assert values(last, COUNTER) == {(): [TOTAL]}
    assert values(last, HISTOGRAM) == {(): [0.0, TOTAL, 0.0, 0.0]}
    assert values(last, UP_DOWN) == {(): [0.0]}
