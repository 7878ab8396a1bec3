"""Readers on machines whose stores become visible in another order than that of the program."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.storage.file_format import HEADER
from dualmetrics.workers.file_names import worker_file_name
from tests.unit.stores import COUNTER, values, worker

_NEW = (("new", True),)


def stale_reads(monkeypatch: pytest.MonkeyPatch, times: int, old: bytes) -> Callable[[], int]:
    """Show readers of a whole file the new length with the ``old`` contents, and return how often."""
    pread, shown = os.pread, 0

    def reordered(descriptor: int, length: int, offset: int) -> bytes:
        nonlocal shown
        data = pread(descriptor, length, offset)
        if length <= HEADER.size or shown >= times:
            return data
        shown += 1
        return data[: HEADER.size] + old[HEADER.size :].ljust(len(data) - HEADER.size, b"\0")

    monkeypatch.setattr(os, "pread", reordered)
    return lambda: shown


@pytest.fixture
def stores(tmp_path: Path) -> tuple[GroupStore, GroupStore, bytes]:
    """A worker with a new series, its sibling, and the worker's file before that series."""
    one, other = worker(tmp_path), worker(tmp_path)
    one.row(COUNTER, ())[0] += 1
    assert values(other, COUNTER) == {(): [1]}
    (file,) = tmp_path.rglob(worker_file_name(0))
    committed = int.from_bytes(file.read_bytes()[HEADER.size - 8 : HEADER.size], "little")
    old = file.read_bytes()[:committed]
    one.row(COUNTER, _NEW)[0] += 2
    return one, other, old


def test_a_record_that_is_seen_after_its_commit_is_read_again(
    stores: tuple[GroupStore, GroupStore, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other, old = stores
    skipped: list[str] = []
    other.on_skipped = skipped.append
    shown = stale_reads(monkeypatch, 3, old)
    assert values(other, COUNTER) == {(): [1], _NEW: [2]}
    assert shown() == 3
    assert not skipped


def test_a_record_that_stays_damaged_is_reported_once(
    stores: tuple[GroupStore, GroupStore, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other, old = stores
    skipped: list[str] = []
    other.on_skipped = skipped.append
    stale_reads(monkeypatch, 1000, old)
    for _ in range(2):
        assert values(other, COUNTER) == {(): [1]}
    assert skipped == ["corrupt"]
