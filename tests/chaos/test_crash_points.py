"""Whatever call a process dies at: nothing is lost, nothing doubled, and the others go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background import delta_baseline
from dualmetrics.model.exponential_buckets import MAX_SCALE, bucket_index
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers import discovery, group_directory
from dualmetrics.workers.leader_election import LeaderElection
from tests.chaos.crash_injection import deaths
from tests.unit.stores import COUNTER, HISTOGRAM, UP_DOWN, die, exponentials, record, values, worker
from tests.unit.workers.test_worker_file import gone


def dead(directory: Path) -> None:
    """A worker that counted one, and died."""
    store = worker(directory, exponential=True)
    store.row(COUNTER, ())[0] += 1
    record(store, 1.5)
    store.row(UP_DOWN, ())[0] += 1
    die(store)
    membership = store.membership()
    assert membership is not None
    membership.close()


@contextmanager
def fresh(directory: Path) -> Iterator[GroupStore]:
    """A worker that was not there when it happened; dead and folded afterwards."""
    store = worker(directory, exponential=True)
    yield store
    membership = store.membership()
    assert membership is not None
    membership.release_worker_file()
    store.fold()
    membership.close()


def check(directory: Path, total: float) -> None:
    with fresh(directory) as reader:
        assert values(reader, COUNTER) == {(): [total]}
        assert values(reader, HISTOGRAM) == {(): [0.0, total, 0.0, 1.5 * total]}
        assert exponentials(reader) == {
            (): ExponentialHistogram(MAX_SCALE, bucket_index(1.5), (total,), sum=1.5 * total)
        }
        assert values(reader, UP_DOWN) == {(): [0.0]}


def test_a_folder_that_dies_anywhere_loses_and_doubles_nothing(tmp_path: Path) -> None:
    total, number = 0.0, 0
    dead(tmp_path)
    dead(tmp_path)
    total += 2
    for number in deaths(lambda: worker(tmp_path).fold()):
        assert number < 500, "each death leaves work for the next fold"
        check(tmp_path, total)  # and folds what the one that died had left
        check(tmp_path, total)
        dead(tmp_path)
        dead(tmp_path)
        total += 2
    assert number > 20, "too few calls for a fold: the test does not see them"
    check(tmp_path, total)
    assert not list(tmp_path.rglob("worker-*"))


def test_a_worker_that_dies_at_its_birth_leaves_no_trace_in_the_numbers(tmp_path: Path) -> None:
    number = 0
    dead(tmp_path)
    for number in deaths(lambda: worker(tmp_path).row(COUNTER, (("born", "yes"),)).release()):
        with fresh(tmp_path) as reader:
            reader.row(COUNTER, (("after", "it"),))[0] += 1
            found = values(reader, COUNTER)
            assert found[()] == [1.0]
            assert found[(("after", "it"),)] == [float(number)]
    assert number > 15, "too few calls for a birth: the test does not see them"


def test_a_retiring_worker_that_dies_loses_nothing(tmp_path: Path) -> None:
    total = 0.0

    def work() -> None:
        store = worker(tmp_path)
        store.row(COUNTER, ())[0] += 1
        store.leave_group(1.0)

    for _ in deaths(work):
        with fresh(tmp_path) as reader:
            found = values(reader, COUNTER).get((), [0.0])[0]
        assert found in (total, total + 1), "the child may have died before it counted"
        total = found
    assert total > 1


def test_a_candidate_that_dies_leaves_the_election_open(tmp_path: Path) -> None:
    def work() -> None:
        election = LeaderElection(worker(tmp_path).membership, ErrorReporter())
        election.try_acquire()
        election.release()
        election.try_acquire()

    for _ in deaths(work):
        election = LeaderElection(worker(tmp_path).membership, ErrorReporter())
        assert election.try_acquire()
        election.release()


def test_a_baseline_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    store = worker(tmp_path)
    store.row(COUNTER, ())[0] += 1
    membership = store.membership()
    assert membership is not None
    families = tuple(store.read().families)

    def save(at: int) -> None:
        assert membership is not None
        delta_baseline.save_baseline(
            membership.directory, membership.identity.group_id, Snapshot(at, (), families)
        )

    save(1)
    for _ in deaths(lambda: save(2)):
        found = delta_baseline.load_baseline(membership.directory)
        assert found is not None
        assert found.time_ns in (1, 2)
        assert [list(point.cells) for family in found.families for point in family.points] == [[1.0]]


def test_a_sweeper_that_dies_harms_no_group_in_use(tmp_path: Path) -> None:
    mine = discovery.find_root()
    stale = tmp_path / f"dualmetrics-{os.geteuid()}" / gone().name / "default"
    for _ in deaths(lambda: group_directory._open(str(tmp_path), mine, "default").close()):
        stale.mkdir(parents=True, exist_ok=True)
        (stale / "worker-0").touch()
    group_directory._open(str(tmp_path), mine, "default").close()
    assert not stale.exists()
