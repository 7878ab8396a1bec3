"""Files in the group's directory that are foreign, damaged or of another version of this library."""

from __future__ import annotations

import contextlib
import os
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
from dualmetrics.workers.membership import Membership
from tests.unit.stores import COUNTER, HISTOGRAM, die, values, worker

VICTIM = (("whose", "the damaged file's"),)


def membership(store: GroupStore) -> Membership:
    found = store.membership()
    assert found is not None
    return found


def inside(directory: Path) -> Path:
    """Where the stores of `worker` keep their files."""
    return directory / f"dualmetrics-{os.geteuid()}" / "test"


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[tuple[GroupStore, list[str]]]:
    """A worker that has read nothing before, and the reasons for which it leaves out files."""
    store = worker(directory)
    reasons: list[str] = []
    store.on_skipped = reasons.append
    yield store, reasons
    membership(store).close()


def dead(directory: Path) -> bytes:
    """The file of a dead worker, up to its committed length; the file itself is gone."""
    store = worker(directory)
    store.row(COUNTER, VICTIM)[0] += 7
    store.row(HISTOGRAM, VICTIM)[0] += 1
    membership(store).close()
    [path] = inside(directory).glob("worker-*")
    whole = path.read_bytes()
    path.unlink()
    return whole[: file_format.decode_header(whole).committed]


def sound(directory: Path) -> GroupStore:
    """A living worker that counted three."""
    store = worker(directory)
    store.row(COUNTER, ())[0] += 3
    return store


def flip(data: bytes, position: int) -> bytes:
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
    "cut behind it": (lambda data: data[:-8], "truncated"),
    "zeroed": (lambda data: bytes(len(data)), "foreign"),
    "text": (lambda data: b"precious " * 100, "foreign"),
    "a later version": (with_version, "version"),
    "a longer header": (with_longer_header, "version"),
    "committed beyond all memory": (with_committed(1 << 62), "truncated"),
    "records zeroed": (lambda data: data[:64] + bytes(len(data) - 64), "corrupt"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["worker-5", "archive"])
def test_a_damaged_file_takes_nothing_from_the_sound_ones(tmp_path: Path, damage: str, name: str) -> None:
    spoil, reason = DAMAGE[damage]
    spoiled = spoil(dead(tmp_path))
    (inside(tmp_path) / name).write_bytes(spoiled)
    survivor = sound(tmp_path)
    with reading(tmp_path) as (store, reasons):
        for _ in range(3):
            assert values(store, COUNTER) == {(): [3.0]}
            store.fold()
        assert reasons == [reason]
    assert values(survivor, COUNTER) == {(): [3.0]}
    if reason != "corrupt":  # then it is a worker's, of which nothing is left
        assert (inside(tmp_path) / name).read_bytes() == spoiled


def test_every_byte_of_a_file_may_be_wrong(tmp_path: Path) -> None:
    data = dead(tmp_path)
    survivor = sound(tmp_path)
    for position in range(len(data)):
        (inside(tmp_path) / "worker-5").write_bytes(flip(data, position))
        with reading(tmp_path) as (store, _):
            assert values(store, COUNTER)[()] == [3.0]
        assert values(survivor, COUNTER)[()] == [3.0]


def test_every_byte_of_an_archive_may_be_wrong(tmp_path: Path) -> None:
    path = inside(tmp_path) / "worker-5"
    data = dead(tmp_path)
    survivor = sound(tmp_path)
    path.write_bytes(data)
    survivor.fold()
    whole = (inside(tmp_path) / "archive").read_bytes()
    for position in range(len(whole)):
        (inside(tmp_path) / "archive").write_bytes(flip(whole, position))
        with reading(tmp_path) as (store, _):
            assert values(store, COUNTER)[()] == [3.0]


def test_a_committed_length_that_shrinks_leaves_no_half_series(tmp_path: Path) -> None:
    data = dead(tmp_path)
    path = inside(tmp_path) / "worker-5"
    path.write_bytes(data)
    with reading(tmp_path) as (store, reasons):
        assert values(store, COUNTER) == {VICTIM: [7.0]}
        for length in range(0, len(data), 8):
            path.write_bytes(with_committed(length)(data))
            assert values(store, COUNTER) in ({}, {VICTIM: [7.0]})
        assert set(reasons) <= {"truncated", "corrupt"}


@pytest.mark.parametrize("body", [b"\xff" * 8, b"no json ", b"[" * 8000])
@pytest.mark.parametrize("kind", [0, 77, 99, 1 << 31])
def test_records_of_a_later_kind_are_passed_over(tmp_path: Path, kind: int, body: bytes) -> None:
    data = bytearray(dead(tmp_path))
    length = file_format.RECORD.size + len(body)
    checksum = zlib.crc32(body, zlib.crc32(struct.pack("<III", kind, length, 0)))
    data[64:64] = file_format.RECORD.pack(kind, length, checksum, 0) + body
    (inside(tmp_path) / "worker-5").write_bytes(with_committed(len(data))(bytes(data)))
    with reading(tmp_path) as (store, reasons):
        assert values(store, COUNTER) == {VICTIM: [7.0]}
        assert reasons == []


def test_an_archive_of_a_later_version_stays_and_so_do_the_dead(tmp_path: Path) -> None:
    archive = with_version(dead(tmp_path))
    (inside(tmp_path) / "archive").write_bytes(archive)
    victim = sound(tmp_path)
    die(victim)
    with reading(tmp_path) as (store, _):
        store.fold()
        assert values(store, COUNTER) == {(): [3.0]}
    assert (inside(tmp_path) / "archive").read_bytes() == archive
    assert not list(inside(tmp_path).glob("damaged-*"))


@pytest.mark.parametrize("damage", ["empty", "cut in the header", "zeroed", "text"])
def test_a_damaged_archive_is_kept_beside_the_new_one(tmp_path: Path, damage: str) -> None:
    spoiled = DAMAGE[damage][0](dead(tmp_path))
    (inside(tmp_path) / "archive").write_bytes(spoiled)
    die(sound(tmp_path))
    with reading(tmp_path) as (store, _):
        store.fold()
        assert values(store, COUNTER) == {(): [3.0]}
    [kept] = inside(tmp_path).glob("damaged-*")
    assert kept.read_bytes() == spoiled


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def noise(path: Path) -> None:
    path.write_bytes(b"precious, and of no length that we know")


@pytest.mark.parametrize("spoil", [shorter, emptied, zeroed, noise, Path.unlink])
def test_a_damaged_log_sends_nothing_into_the_overflow(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    old = worker(tmp_path)
    for number in range(3):
        old.row(COUNTER, (("k", number),))[0] += 1
    spoil(inside(tmp_path) / "admitted")
    new = worker(tmp_path)
    for number in range(6):
        for store in (old, new):
            store.row(COUNTER, (("k", number),))[0] += 1
    for store in (old, new):
        found = values(store, COUNTER)
        assert OVERFLOW_ATTRIBUTES not in found
        assert sum(cells[0] for cells in found.values()) == 15


def test_every_byte_of_a_baseline_may_be_wrong(tmp_path: Path) -> None:
    store = sound(tmp_path)
    directory = membership(store).directory
    delta_baseline.save_baseline(
        directory, membership(store).identity.group_id, Snapshot(1, (), tuple(store.read().families))
    )
    whole = directory.read(DELTA_BASELINE)
    for position in range(len(whole)):
        for spoiled in (flip(whole, position), whole[:position]):
            directory.replace(DELTA_BASELINE, spoiled)
            found = delta_baseline.load_baseline(directory)
            assert found is None or len(found.families) <= 1
