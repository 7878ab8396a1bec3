"""Files of the group that somebody deletes while workers count: no total ever goes back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.losses import GroupLostError
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.file_names import ADMITTED_SERIES, ARCHIVE, LEADER_LOCK
from dualmetrics.workers.leader_election import LeaderElection
from tests.unit.stores import COUNTER, die, membership_of, values, worker


def group_of(store: GroupStore) -> Path:
    return Path(membership_of(store).directory.path)


def counting(directory: Path, amount: float) -> GroupStore:
    store = worker(directory)
    store.row(COUNTER, ())[0] += amount
    return store


def group_with_archive(directory: Path) -> tuple[GroupStore, GroupStore]:
    """Two workers with 1 and 2, and an archive with 4. Both have seen all of it."""
    one, other, dead = (counting(directory, amount) for amount in (1, 2, 4))
    die(dead)
    one.fold()
    assert values(one, COUNTER) == values(other, COUNTER) == {(): [7]}
    return one, other


def test_without_its_directory_a_group_gives_no_total_rather_than_a_part_of_it(tmp_path: Path) -> None:
    stores = group_with_archive(tmp_path)
    shutil.rmtree(group_of(stores[0]))
    for store in stores:
        store.row(COUNTER, ())[0] += 1
        with pytest.raises(GroupLostError, match=r"the directory of the worker group was deleted"):
            store.read()


def test_a_worker_that_has_only_ticked_knows_of_its_siblings(tmp_path: Path) -> None:
    one, _ = counting(tmp_path, 1), counting(tmp_path, 2)
    one.fold()
    shutil.rmtree(group_of(one))
    with pytest.raises(GroupLostError):
        one.read()


def test_a_worker_that_has_counted_everything_goes_on_without_a_directory(tmp_path: Path) -> None:
    store = counting(tmp_path, 1)
    store.fold()
    shutil.rmtree(group_of(store))
    store.row(COUNTER, ())[0] += 1
    assert values(store, COUNTER) == {(): [2]}


def test_a_worker_gives_no_total_beside_a_new_group_in_its_place(tmp_path: Path) -> None:
    store = counting(tmp_path, 1)
    shutil.rmtree(group_of(store))
    new = counting(tmp_path, 5)
    assert values(new, COUNTER) == {(): [5]}
    with pytest.raises(GroupLostError):
        store.read()


def test_a_deleted_archive_is_written_back(tmp_path: Path) -> None:
    one, other = group_with_archive(tmp_path)
    (group_of(one) / ARCHIVE).unlink()
    assert values(one, COUNTER) == {(): [7]}
    assert values(other, COUNTER) == {(): [7]}
    assert values(worker(tmp_path), COUNTER) == {(): [7]}


def test_a_deleted_archive_is_written_back_before_a_dead_worker_is_folded(tmp_path: Path) -> None:
    one, other = group_with_archive(tmp_path)
    (group_of(one) / ARCHIVE).unlink()
    die(other)
    one.fold()
    assert values(one, COUNTER) == {(): [7]}


def test_a_deleted_file_of_a_sibling_is_noticed(tmp_path: Path) -> None:
    one, other = group_with_archive(tmp_path)
    (group_of(one) / "worker-1").unlink()
    with pytest.raises(GroupLostError, match="worker-1"):
        one.read()
    assert values(other, COUNTER) == {(): [7]}  # its own rows are still mapped


def test_a_folded_worker_is_no_loss(tmp_path: Path) -> None:
    one, other = group_with_archive(tmp_path)
    die(other)
    worker(tmp_path).fold()
    assert values(one, COUNTER) == {(): [7]}


def test_a_deleted_admission_log_loses_nothing(tmp_path: Path) -> None:
    one, other = group_with_archive(tmp_path)
    (group_of(one) / ADMITTED_SERIES).unlink()
    one.row(COUNTER, (("new", True),))[0] += 1
    assert values(other, COUNTER) == {(): [7], (("new", True),): [1]}


def test_after_the_lock_of_the_leader_was_deleted_one_worker_leads(tmp_path: Path) -> None:
    one, other = (
        LeaderElection(store.membership, ErrorReporter()) for store in (worker(tmp_path), worker(tmp_path))
    )
    assert one.try_acquire()
    assert not other.try_acquire()
    next(tmp_path.rglob(LEADER_LOCK)).unlink()
    assert other.try_acquire()
    assert not one.try_acquire()
    other.release()
    assert one.try_acquire()
    one.release()


def test_a_group_without_its_directory_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = group_with_archive(tmp_path)
    shutil.rmtree(group_of(one))
    for _ in range(3):
        with pytest.raises(GroupLostError):
            one.read()
        one.fold()
    assert [record.getMessage() for record in caplog.records if "was deleted" in record.getMessage()] == [
        caplog.records[-1].getMessage()
    ]


def test_a_deleted_file_is_noticed_when_a_new_worker_has_taken_its_name(tmp_path: Path) -> None:
    one, _ = group_with_archive(tmp_path)
    (group_of(one) / "worker-1").unlink()
    new = counting(tmp_path, 8)
    assert new.worker_slot() == 1
    with pytest.raises(GroupLostError, match="worker-1"):
        one.read()
