"""Files in the group's directory that are damaged, foreign, or from another version of this library."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.worker_store import OVERFLOW_ATTRIBUTES
from dualmetrics.background import delta_baseline
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER
from dualmetrics.workers.file_names import DELTA_BASELINE
from tests.chaos.wsgi_worker import group_directory
from tests.unit.stores import COUNTER, HISTOGRAM, die, membership_of, values, worker

VICTIM = (("whose", "the damaged file's"),)


def files_of(directory: Path) -> Path:
    """Where the stores of `worker` keep their files."""
    return group_directory(directory, "test")


@contextlib.contextmanager
def new_reader(directory: Path) -> Iterator[tuple[GroupStore, list[str]]]:
    """A worker that has read nothing before, and the reasons for which it skips files."""
    store = worker(directory)
    reasons: list[str] = []
    store.on_skipped = reasons.append
    yield store, reasons
    membership_of(store).close()


def dead_workers_file(directory: Path) -> bytes:
    """Return the bytes of a dead worker's file, up to the committed length. The file itself is removed."""
    store = worker(directory)
    store.row(COUNTER, VICTIM)[0] += 7
    store.row(HISTOGRAM, VICTIM)[0] += 1
    membership_of(store).close()
    [path] = files_of(directory).glob("worker-*")
    whole = path.read_bytes()
    path.unlink()
    return whole[: file_format.decode_header(whole).committed]


def live_worker(directory: Path) -> GroupStore:
    """Return a live worker that has counted three."""
    store = worker(directory)
    store.row(COUNTER, ())[0] += 3
    return store


def with_flipped_bit(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1 << position % 8]) + data[position + 1 :]


def with_version(data: bytes) -> bytes:
    return data[:8] + struct.pack("<I", 2) + data[12:]


def with_longer_header(data: bytes) -> bytes:
    return data[:12] + struct.pack("<I", HEADER.size + 8) + data[16:]


def with_committed(length: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:56] + struct.pack("<Q", length) + data[64:]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "truncated"),
    "cut in the header": (lambda data: data[:63], "truncated"),
    "cut after the header": (lambda data: data[:-8], "truncated"),
    "zeroed": (lambda data: bytes(len(data)), "foreign"),
    "text": (lambda data: b"precious " * 100, "foreign"),
    "a later version": (with_version, "version"),
    "a longer header": (with_longer_header, "version"),
    "a huge committed length": (with_committed(1 << 62), "truncated"),
    "records zeroed": (lambda data: data[:64] + bytes(len(data) - 64), "corrupt"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["worker-5", "archive"])
def test_a_damaged_file_is_skipped_and_the_others_stay_exact(tmp_path: Path, damage: str, name: str) -> None:
    spoil, reason = DAMAGE[damage]
    spoiled = spoil(dead_workers_file(tmp_path))
    (files_of(tmp_path) / name).write_bytes(spoiled)
    survivor = live_worker(tmp_path)
    with new_reader(tmp_path) as (store, reasons):
        for _ in range(3):
            assert values(store, COUNTER) == {(): [3.0]}
            store.fold()
        assert reasons == [reason]
    assert values(survivor, COUNTER) == {(): [3.0]}
    if reason != "corrupt":  # a corrupt one is a dead worker's file, which is folded and removed
        assert (files_of(tmp_path) / name).read_bytes() == spoiled


@pytest.mark.parametrize("is_folded", [False, True], ids=["worker file", "archive"])
def test_any_damaged_byte_of_a_file_leaves_the_others_exact(tmp_path: Path, is_folded: bool) -> None:
    path = files_of(tmp_path) / "worker-5"
    data = dead_workers_file(tmp_path)
    survivor = live_worker(tmp_path)
    path.write_bytes(data)
    if is_folded:
        survivor.fold()
        path = files_of(tmp_path) / "archive"
        data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(with_flipped_bit(data, position))
        with new_reader(tmp_path) as (store, _):
            assert values(store, COUNTER)[()] == [3.0]
        assert values(survivor, COUNTER)[()] == [3.0]


def test_a_shrinking_committed_length_never_shows_half_a_series(tmp_path: Path) -> None:
    data = dead_workers_file(tmp_path)
    path = files_of(tmp_path) / "worker-5"
    path.write_bytes(data)
    with new_reader(tmp_path) as (store, reasons):
        assert values(store, COUNTER) == {VICTIM: [7.0]}
        for length in range(0, len(data), 8):
            path.write_bytes(with_committed(length)(data))
            assert values(store, COUNTER) in ({}, {VICTIM: [7.0]})
        assert set(reasons) <= {"truncated", "corrupt"}


@pytest.mark.parametrize("body", [b"\xff" * 8, b"no json ", b"[" * 8000])
@pytest.mark.parametrize("kind", [0, 77, 99, 1 << 31])
def test_records_of_an_unknown_kind_are_skipped(tmp_path: Path, kind: int, body: bytes) -> None:
    data = bytearray(dead_workers_file(tmp_path))
    length = file_format.RECORD.size + len(body)
    checksum = zlib.crc32(body, zlib.crc32(struct.pack("<III", kind, length, 0)))
    data[64:64] = file_format.RECORD.pack(kind, length, checksum, 0) + body
    (files_of(tmp_path) / "worker-5").write_bytes(with_committed(len(data))(bytes(data)))
    with new_reader(tmp_path) as (store, reasons):
        assert values(store, COUNTER) == {VICTIM: [7.0]}
        assert reasons == []


def test_an_archive_of_a_later_version_is_kept_and_dead_workers_stay_unfolded(tmp_path: Path) -> None:
    archive = with_version(dead_workers_file(tmp_path))
    (files_of(tmp_path) / "archive").write_bytes(archive)
    victim = live_worker(tmp_path)
    die(victim)
    with new_reader(tmp_path) as (store, _):
        store.fold()
        assert values(store, COUNTER) == {(): [3.0]}
    assert (files_of(tmp_path) / "archive").read_bytes() == archive
    assert not list(files_of(tmp_path).glob("damaged-*"))


@pytest.mark.parametrize("damage", ["empty", "cut in the header", "zeroed", "text"])
def test_a_damaged_archive_is_moved_aside_when_a_new_one_is_written(tmp_path: Path, damage: str) -> None:
    spoiled = DAMAGE[damage][0](dead_workers_file(tmp_path))
    (files_of(tmp_path) / "archive").write_bytes(spoiled)
    die(live_worker(tmp_path))
    with new_reader(tmp_path) as (store, _):
        store.fold()
        assert values(store, COUNTER) == {(): [3.0]}
    [kept] = files_of(tmp_path).glob("damaged-*")
    assert kept.read_bytes() == spoiled


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def overwrite(path: Path) -> None:
    path.write_bytes(b"text, whose length is not a multiple of a record's")


@pytest.mark.parametrize("spoil", [shorten, empty, zero, overwrite, Path.unlink])
def test_a_damaged_admission_log_causes_no_overflow(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    old = worker(tmp_path)
    for number in range(3):
        old.row(COUNTER, (("k", number),))[0] += 1
    spoil(files_of(tmp_path) / "admitted")
    new = worker(tmp_path)
    for number in range(6):
        for store in (old, new):
            store.row(COUNTER, (("k", number),))[0] += 1
    for store in (old, new):
        totals = values(store, COUNTER)
        assert OVERFLOW_ATTRIBUTES not in totals
        assert sum(cells[0] for cells in totals.values()) == 15


def test_any_damaged_byte_of_a_baseline_is_survived(tmp_path: Path) -> None:
    store = live_worker(tmp_path)
    directory = membership_of(store).directory
    delta_baseline.save_baseline(
        directory, membership_of(store).identity.group_id, Snapshot(1, (), tuple(store.read().families))
    )
    whole = directory.read(DELTA_BASELINE)
    for position in range(len(whole)):
        for spoiled in (with_flipped_bit(whole, position), whole[:position]):
            directory.replace(DELTA_BASELINE, spoiled)
            baseline = delta_baseline.load_baseline(directory)
            assert baseline is None or len(baseline.families) <= 1
