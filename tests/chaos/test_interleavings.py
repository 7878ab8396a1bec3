"""Two workers, each stopped between any two of its calls: nothing is lost, doubled or taken back."""

from __future__ import annotations

import gc
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers import membership
from dualmetrics.workers.leader_election import LeaderElection
from tests.chaos.interleavings import Plan, plans, run
from tests.unit.stores import COUNTER, die, membership_of, values, worker

pytestmark = pytest.mark.server

NEW = (("new", "series"),)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory if there is one: thousands of groups come and go in it."""
    memory = Path("/dev/shm")
    gc.freeze()  # so that each collection looks at new objects only
    try:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as name:
            yield Path(name)
    finally:
        gc.unfreeze()


class Group:
    """A group with a worker that lives, one that is to be folded, and an archive."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._stores: list[GroupStore] = []
        die(self.worker(1))
        self.reader = self.worker(2)
        self.reader.fold()
        self.other = self.worker(4)
        self.dead = self.worker(8)
        self.seen: list[float] = []

    def worker(self, amount: float = 0) -> GroupStore:
        store = worker(self.directory)
        self._stores.append(store)
        if amount:
            store.row(COUNTER, ())[0] += amount
        return store

    def total(self, store: GroupStore) -> float:
        return sum(cells[0] for cells in values(store, COUNTER).values())

    def look(self, store: GroupStore) -> None:
        self.seen.append(self.total(store))

    def close(self) -> None:
        for store in self._stores:
            store._access.close()
        shutil.rmtree(self.directory)


Work = Callable[[Group], object]


class Case(NamedTuple):
    """Two works that overlap, and the total of the group afterwards."""

    first: Work
    second: Work
    total: float = 15


def fold(group: Group) -> None:
    group.reader.fold()


def fold_too(group: Group) -> None:
    group.other.fold()


def read(group: Group) -> None:
    group.look(group.other)


def die_and_fold(group: Group) -> None:
    die(group.dead)
    group.reader.fold()


def append_and_die(group: Group) -> None:
    group.dead.row(COUNTER, NEW)[0] += 16
    die(group.dead)


def be_born(group: Group) -> None:
    group.worker(16)


def leave(group: Group) -> None:
    group.dead.leave_group(0.0)


def leave_too(group: Group) -> None:
    group.other.leave_group(0.0)


CASES = {
    "two folds": Case(die_and_fold, fold_too),
    "a fold and a reader": Case(die_and_fold, read),
    "a reader and a fold": Case(read, die_and_fold),
    "a fold and a worker that appends and dies": Case(fold, append_and_die, 31),
    "a worker that appends and dies, and a fold": Case(append_and_die, fold, 31),
    "a worker that appends and dies, and a reader": Case(append_and_die, read, 31),
    "a birth and a fold": Case(be_born, die_and_fold, 31),
    "a fold and a birth": Case(die_and_fold, be_born, 31),
    "two births": Case(be_born, be_born, 47),
    "a worker that leaves, and a fold": Case(leave, fold),
    "two workers that leave": Case(leave, leave_too),
}


@pytest.mark.parametrize("name", CASES)
def test_wherever_two_workers_are_stopped_the_total_is_exact(directory: Path, name: str) -> None:
    case, numbers = CASES[name], itertools.count()

    def try_plan(plan: Plan) -> list[int]:
        group = Group(directory / "group")
        made = run(plan, lambda: case.first(group), lambda: case.second(group))
        for store in (group.reader, group.worker()):
            store.fold()
            assert group.total(store) == case.total, plan
        assert all(15 <= total <= case.total for total in group.seen), (plan, group.seen)
        group.close()
        if next(numbers) % 20 == 0:
            gc.collect()  # mappings, each of which has a descriptor
        return made

    assert len(list(plans(try_plan))) > 50


def test_wherever_two_workers_are_stopped_one_of_them_leads(directory: Path) -> None:
    group = Group(directory / "group")
    elections = [LeaderElection(store.membership, ErrorReporter()) for store in (group.reader, group.other)]
    leading, most = set[int](), [0]

    def stand(number: int) -> None:
        if elections[number].try_acquire():
            leading.add(number)
            most[0] = max(most[0], len(leading))
            membership_of(group.dead).directory.names()  # a call, at which it may be stopped while it leads
            leading.discard(number)
            elections[number].release()

    for _ in plans(lambda plan: run(plan, lambda: stand(0), lambda: stand(1))):
        assert most == [1]
    group.close()


@pytest.mark.parametrize("what", ["directory", "archive", "worker-0"])
def test_wherever_a_repair_is_stopped_the_total_is_exact(
    directory: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "REPAIR_SECONDS", 0.0)
    numbers = itertools.count()

    def try_plan(plan: Plan) -> list[int]:
        group = Group(directory / "group")
        for store in (group.reader, group.other, group.dead):
            store.fold()
        path = Path(membership_of(group.reader).directory.path)
        shutil.rmtree(path) if what == "directory" else (path / what).unlink()
        made = run(plan, group.reader.fold, lambda: group.look(group.other))
        assert group.seen == [15], plan
        for store in (group.reader, group.other, group.dead):
            store.fold()
        assert group.total(group.worker()) == 15, plan
        group.close()
        if next(numbers) % 20 == 0:
            gc.collect()  # mappings, each of which has a descriptor
        return made

    assert len(list(plans(try_plan))) > 50
