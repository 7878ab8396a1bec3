"""Somebody deletes files of the group while workers count: no total goes back, and the group heals."""

from __future__ import annotations

import gc
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage.file_format import COMMITTED_OFFSET
from dualmetrics.workers import group_files, membership
from dualmetrics.workers.file_names import (
    ADMITTED_SERIES,
    ARCHIVE,
    FOLD_LOCK,
    GROUP_IDENTITY,
    LEADER_LOCK,
    worker_file_name,
)
from dualmetrics.workers.group_files import IncompleteGroupError
from dualmetrics.workers.leader_election import LeaderElection
from tests.unit.stores import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    UP_DOWN,
    die,
    exponentials,
    membership_of,
    record,
    values,
    worker,
)

NAMES = [ARCHIVE, ADMITTED_SERIES, GROUP_IDENTITY, FOLD_LOCK, "worker-0", "worker-1", "worker-2"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "REPAIR_SECONDS", 0.0)


def group_of(store: GroupStore) -> Path:
    return Path(membership_of(store).directory.path)


def counting(directory: Path, amount: float) -> GroupStore:
    """A worker that has counted and ticked."""
    store = worker(directory, exponential=True)
    store.row(COUNTER, ())[0] += amount
    store.row(UP_DOWN, ())[0] += amount
    record(store, amount)
    store.fold()
    return store


def group(directory: Path) -> list[GroupStore]:
    """Three workers with 1, 2 and 4, and an archive with 8. All have ticked since the last change."""
    dead = counting(directory, 8)
    die(dead)
    stores = [counting(directory, amount) for amount in (1, 2, 4)]
    tick(stores)
    assert (group_of(stores[0]) / ARCHIVE).exists()
    return stores


def tick(stores: list[GroupStore]) -> None:
    for store in stores:
        store.fold()


def check(stores: list[GroupStore], total: float, active: float) -> None:
    for store in stores:
        assert values(store, COUNTER) == {(): [total]}
        assert values(store, UP_DOWN) == {(): [active]}
        assert values(store, HISTOGRAM)[()][-1] == total
        (exponential,) = exponentials(store).values()
        assert exponential is not None
        assert exponential.sum == total


def count_more(stores: list[GroupStore]) -> None:
    for store in stores:
        store.row(COUNTER, ())[0] += 100
        record(store, 100)


def test_after_its_directory_was_deleted_every_worker_shows_what_all_have_counted(tmp_path: Path) -> None:
    stores = group(tmp_path)
    shutil.rmtree(group_of(stores[0]))
    check(stores, 15, 7)
    count_more(stores)
    check(stores, 315, 7)
    tick(stores)
    check([*stores, worker(tmp_path, exponential=True)], 315, 7)


@pytest.mark.parametrize("name", NAMES)
def test_a_deleted_file_changes_no_total(tmp_path: Path, name: str) -> None:
    stores = group(tmp_path)
    (group_of(stores[0]) / name).unlink(missing_ok=name == FOLD_LOCK)
    check(stores, 15, 7)
    count_more(stores)
    check(stores, 315, 7)
    tick(stores)
    check([*stores, worker(tmp_path, exponential=True)], 315, 7)


@pytest.mark.parametrize("times", [2, 3])
def test_a_group_heals_again_and_again(tmp_path: Path, times: int) -> None:
    stores = group(tmp_path)
    for _ in range(times):
        shutil.rmtree(group_of(stores[0]))
        check(stores, 15, 7)
        tick(stores)
    check(stores, 15, 7)


def test_rows_that_were_given_before_stay_valid(tmp_path: Path) -> None:
    one, other, _ = group(tmp_path)
    row, (explicit, exponential) = one.row(COUNTER, ()), one.histogram_row(HISTOGRAM, ())
    shutil.rmtree(group_of(one))
    one.fold()
    row[0] += 10
    explicit[0] += 1
    explicit[-1] += 1
    exponential.add(1.0)
    assert values(other, COUNTER) == {(): [25]}
    (histogram,) = exponentials(other).values()
    assert histogram is not None
    assert (histogram.total_count, histogram.sum) == (5, 16)


def test_new_series_of_a_moved_worker_are_seen(tmp_path: Path) -> None:
    one, other, _ = group(tmp_path)
    shutil.rmtree(group_of(one))
    one.fold()
    new = (("new", True),)
    one.row(COUNTER, new)[0] += 3
    one.row(GAUGE, ())[:] = memoryview(b"".join([b"\0" * 8, b"\1" * 8])).cast("d")
    assert values(other, COUNTER)[new] == [3]
    assert list(values(other, GAUGE)) == [()]


def test_a_worker_that_dies_before_it_notices_is_folded(tmp_path: Path) -> None:
    one, other, last = group(tmp_path)
    shutil.rmtree(group_of(one))
    one.row(COUNTER, ())[0] += 10
    die_unnoticed(one)
    check_counter([other, last], 25)
    tick([other, last])
    check_counter([other, last, worker(tmp_path)], 25)
    assert values(other, UP_DOWN) == {(): [6]}


def die_unnoticed(store: GroupStore) -> None:
    """Die without another look at the directory."""
    current = store._access._membership
    assert current is not None
    current.release_worker_file()


def check_counter(stores: list[GroupStore], total: float) -> None:
    for store in stores:
        assert values(store, COUNTER) == {(): [total]}


def test_a_worker_that_leaves_after_the_deletion_keeps_its_counts(tmp_path: Path) -> None:
    one, other, last = group(tmp_path)
    shutil.rmtree(group_of(one))
    assert one.leave_group(1.0) is None
    check_counter([other, last], 15)
    tick([other, last])
    check_counter([other, last, worker(tmp_path)], 15)


def test_two_archives_that_began_independently_are_added_up(tmp_path: Path) -> None:
    one, other, last = group(tmp_path)
    shutil.rmtree(group_of(one))
    for amount in (16, 32):  # these know nothing of the others, who have not noticed yet
        die(counting(tmp_path, amount))
    new = counting(tmp_path, 64)
    check_counter([one, other, last], 127)
    tick([other, new, one, last])
    check_counter([one, other, last, new, worker(tmp_path)], 127)
    die(last)
    tick([other])
    check_counter([one, other, new, worker(tmp_path)], 127)


def test_without_the_latest_archive_a_worker_waits_for_one_that_has_it(tmp_path: Path) -> None:
    one, other, last = group(tmp_path)
    die(last)
    other.fold()  # `one` still has the archive before this one
    (group_of(one) / ARCHIVE).unlink()
    with pytest.raises(IncompleteGroupError, match="the archive of the worker group was deleted"):
        one.read()
    one.fold()
    assert not (group_of(one) / ARCHIVE).exists()
    other.fold()
    check_counter([one, other, worker(tmp_path)], 15)


def test_if_nobody_has_the_latest_archive_the_group_goes_on_with_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, last = group(tmp_path)
    skipped: list[str] = []
    one.on_skipped = skipped.append
    die(last)
    worker(tmp_path).fold()  # and this one forgets it
    (group_of(one) / ARCHIVE).unlink()
    with pytest.raises(IncompleteGroupError):
        one.read()
    monkeypatch.setattr(group_files, "_ARCHIVE_WAIT_SECONDS", 0.0)
    assert values(one, COUNTER) == {(): [11]}
    one.fold()
    check_counter([one, other, worker(tmp_path)], 11)
    assert skipped == ["deleted"]


def test_while_others_have_not_noticed_a_worker_gives_no_totals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, last = group(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(membership, "REPAIR_SECONDS", 60.0)
        shutil.rmtree(group_of(one))
        one.fold()
        late = counting(tmp_path, 16)
        for store in (one, late):
            with pytest.raises(IncompleteGroupError, match="files of the worker group were deleted"):
                store.read()
        assert late.leave_group(1.0) is None
    assert values(worker(tmp_path), COUNTER)[()] <= [31]
    check_counter([other, last], 31)


def test_start_times_and_the_identity_outlive_the_directory(tmp_path: Path) -> None:
    stores = group(tmp_path)
    identity = stores[0].instance_id()
    before = [family.points[0].start_time_ns for family in stores[0].read().families]
    shutil.rmtree(group_of(stores[0]))
    tick(stores)
    new = worker(tmp_path)
    new.row(COUNTER, ())[0] += 1
    assert {store.instance_id() for store in [*stores, new]} == {identity}
    assert [family.points[0].start_time_ns for family in new.read().families] == before


def test_the_cardinality_limit_knows_the_series_from_before(tmp_path: Path) -> None:
    stores = [worker(tmp_path, limit=2) for _ in range(2)]
    for number, store in enumerate(stores):
        store.row(COUNTER, (("n", str(number)),))[0] += 1
    shutil.rmtree(group_of(stores[0]))
    tick(stores)
    stores[0].row(COUNTER, (("n", "too many"),))[0] += 1
    assert len(values(stores[0], COUNTER)) == 3
    assert (("otel.metric.overflow", True),) in values(stores[0], COUNTER)


def test_there_is_one_leader_after_the_lock_file_was_deleted(tmp_path: Path) -> None:
    one, other, _ = group(tmp_path)
    elections = [LeaderElection(store.membership, ErrorReporter()) for store in (one, other)]
    assert [election.try_acquire() for election in elections] == [True, False]
    (group_of(one) / LEADER_LOCK).unlink()
    assert elections[1].try_acquire()
    assert [election.try_acquire() for election in elections] == [False, True]


def test_one_line_of_the_log_tells_of_a_deleted_directory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stores = group(tmp_path)
    shutil.rmtree(group_of(stores[0]))
    with caplog.at_level(logging.INFO, "dualmetrics"):
        tick(stores)
        check(stores, 15, 7)
    assert [record.message.count("has deleted files") for record in caplog.records] == [1]


def test_a_worker_that_cannot_write_its_file_again_says_so_once_and_tries_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, last = group(tmp_path)
    shutil.rmtree(group_of(one))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        check_counter([one, other, last], 15)
        tick([one, other, last])
        check_counter([one, other, last], 15)
    assert sum("cannot repair" in record.message for record in caplog.records) == 3  # one a worker
    tick([one, other, last])
    check([one, other, last, worker(tmp_path, exponential=True)], 15, 7)


def test_what_a_thread_records_while_the_file_is_moved_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, _ = group(tmp_path)
    row = one.row(COUNTER, ())
    shutil.rmtree(group_of(one))
    with monkeypatch.context() as patch:
        during_the_move(patch, before=lambda: add(row, 5), after=lambda: add(row, 7))
        one.fold()
    check_counter([one, other], 27)


def add(row: memoryview[float], amount: float) -> None:
    row[0] += amount


def during_the_move(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], None], after: Callable[[], None]
) -> None:
    """Have other threads run directly before and after the new file takes the place of the old one."""
    from dualmetrics.runtime import operating_system

    map_over = operating_system.current.map_over

    def interrupted(memory: memoryview, descriptor: int) -> None:
        before()
        map_over(memory, descriptor)
        after()

    monkeypatch.setattr(operating_system.current, "map_over", interrupted)


def test_a_slot_that_another_worker_has_taken_is_left_to_it(tmp_path: Path) -> None:
    one, other, last = group(tmp_path)
    shutil.rmtree(group_of(one))
    new = counting(tmp_path, 16)
    tick([one, other, last])
    assert sorted(path.name for path in group_of(one).glob("worker-*")) == [
        worker_file_name(number) for number in range(4)
    ]
    check_counter([one, other, last, new], 31)


def test_a_reset_is_not_taken_for_a_deletion(tmp_path: Path) -> None:
    one, other, _ = group(tmp_path)
    die(one)
    one.reset()
    assert values(other, COUNTER) == {(): [6]}


def test_files_are_not_kept_open_longer_than_needed(tmp_path: Path) -> None:
    (store, *_) = group(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        dead = counting(tmp_path, 1)
        die(dead)
        membership_of(dead).close()
        del dead
        store.fold()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_file_that_lost_its_name_is_not_read_beside_a_damaged_header(tmp_path: Path) -> None:
    one, other, _ = group(tmp_path)
    path = group_of(one) / worker_file_name(membership_of(other).file.slot)  # type: ignore[union-attr]
    with path.open("r+b") as file:
        file.seek(COMMITTED_OFFSET - 56)
        file.write(b"damaged!")
    path.unlink()
    assert values(one, COUNTER) == {(): [13]}
