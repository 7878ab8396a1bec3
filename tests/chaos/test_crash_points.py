"""A process may die at any call of the file system: nothing is lost or doubled, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background import delta_baseline
from dualmetrics.model.exponential_buckets import MAX_SCALE, bucket_index
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.discovery import find_root
from dualmetrics.workers.leader_election import LeaderElection
from tests.chaos.crash_injection import crash_at_each_call
from tests.unit.stores import (
    COUNTER,
    HISTOGRAM,
    UP_DOWN,
    die,
    exponentials,
    membership_of,
    record,
    values,
    worker,
)
from tests.unit.workers.test_group_directory import ended_root, open_group, user_directory


def count_one_and_die(directory: Path) -> None:
    """Be a worker that counts one, and dies."""
    store = worker(directory, exponential=True)
    store.row(COUNTER, ())[0] += 1
    record(store, 1.5)
    store.row(UP_DOWN, ())[0] += 1
    die(store)
    membership_of(store).close()


@contextmanager
def new_worker(directory: Path) -> Iterator[GroupStore]:
    """A worker that starts after the crash. It dies and is folded at the end of the block."""
    store = worker(directory, exponential=True)
    yield store
    die(store)
    store.fold()
    membership_of(store).close()


def check_totals(directory: Path, total: float) -> None:
    with new_worker(directory) as reader:
        assert values(reader, COUNTER) == {(): [total]}
        assert values(reader, HISTOGRAM) == {(): [0.0, total, 0.0, 1.5 * total]}
        assert exponentials(reader) == {
            (): ExponentialHistogram(MAX_SCALE, bucket_index(1.5), (total,), sum=1.5 * total)
        }
        assert values(reader, UP_DOWN) == {(): [0.0]}


def test_a_worker_that_dies_while_it_folds_loses_and_doubles_nothing(tmp_path: Path) -> None:
    total, number = 2.0, 0
    count_one_and_die(tmp_path)
    count_one_and_die(tmp_path)
    for number in crash_at_each_call(lambda: worker(tmp_path).fold()):
        assert number < 500, "each crash leaves work for the next fold"
        check_totals(tmp_path, total)  # this also folds what the crash has left
        check_totals(tmp_path, total)
        count_one_and_die(tmp_path)
        count_one_and_die(tmp_path)
        total += 2
    assert number > 20, "a fold makes more calls than were seen"
    check_totals(tmp_path, total)
    assert not list(tmp_path.rglob("worker-*"))


def test_a_worker_that_dies_while_it_starts_leaves_the_totals_as_they_were(tmp_path: Path) -> None:
    number = 0
    count_one_and_die(tmp_path)
    for number in crash_at_each_call(lambda: worker(tmp_path).row(COUNTER, (("starts", "yes"),)).release()):
        with new_worker(tmp_path) as reader:
            reader.row(COUNTER, (("after", "it"),))[0] += 1
            totals = values(reader, COUNTER)
            assert totals[()] == [1.0]
            assert totals[(("after", "it"),)] == [float(number)]
    assert number > 15, "a start makes more calls than were seen"


def test_a_worker_that_dies_while_it_leaves_the_group_loses_nothing(tmp_path: Path) -> None:
    total = 0.0

    def work() -> None:
        store = worker(tmp_path)
        store.row(COUNTER, ())[0] += 1
        store.leave_group(1.0)

    for _ in crash_at_each_call(work):
        with new_worker(tmp_path) as reader:
            now = values(reader, COUNTER).get((), [0.0])[0]
        assert now in (total, total + 1), "the child may have died before it counted"
        total = now
    assert total > 1


def test_after_a_crash_in_the_election_another_worker_can_be_elected(tmp_path: Path) -> None:
    def work() -> None:
        election = LeaderElection(worker(tmp_path).membership, ErrorReporter())
        election.try_acquire()
        election.release()
        election.try_acquire()

    for _ in crash_at_each_call(work):
        election = LeaderElection(worker(tmp_path).membership, ErrorReporter())
        assert election.try_acquire()
        election.release()


def test_after_a_crash_the_baseline_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    store = worker(tmp_path)
    store.row(COUNTER, ())[0] += 1
    families = tuple(store.read().families)

    def save(time_ns: int) -> None:
        membership = membership_of(store)  # a forked child has its own
        snapshot = Snapshot(time_ns, (), families)
        delta_baseline.save_baseline(membership.directory, membership.identity.group_id, snapshot)

    save(1)
    for _ in crash_at_each_call(lambda: save(2)):
        baseline = delta_baseline.load_baseline(membership_of(store).directory)
        assert baseline is not None
        assert baseline.time_ns in (1, 2)
        assert [list(point.cells) for family in baseline.families for point in family.points] == [[1.0]]


def test_a_crash_while_stale_groups_are_removed_harms_no_group_in_use(tmp_path: Path) -> None:
    root = find_root()
    stale = user_directory(tmp_path) / ended_root().name / "default"
    for _ in crash_at_each_call(lambda: open_group(tmp_path, root).close()):
        stale.mkdir(parents=True, exist_ok=True)
        (stale / "worker-0").touch()
    open_group(tmp_path, root).close()
    assert not stale.exists()
