"""A group on macOS, as far as it can be tried elsewhere: its directory, its files and a full disk."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.runtime import operating_system
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import regions
from dualmetrics.workers.membership import GroupAddress
from tests.unit.kernels import MacKernel
from tests.unit.stores import COUNTER, membership_of, values

SERIES = tuple((("route", f"/{number}"),) for number in range(20))


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], GroupStore]:
    """A function that makes a worker of a server on a Mac."""
    kernel = MacKernel()
    kernel.install(monkeypatch)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(regions, "CAPACITY", operating_system.current.file_capacity)
    monkeypatch.setattr(regions, "RESERVE", operating_system.current.reservation_step)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command, request: request)
    server = kernel.start(kernel.shell)

    def worker() -> GroupStore:
        monkeypatch.setattr(os, "getpid", lambda: kernel.fork(server))
        return GroupStore(GroupAddress(None, "test"), AggregationPolicies(), 2000, ErrorReporter())

    return worker


def test_two_workers_find_each_other_and_count_together(
    mac: Callable[[], GroupStore], tmp_path: Path
) -> None:
    one, other = mac(), mac()
    one.row(COUNTER, ())[0] += 2
    other.row(COUNTER, ())[0] += 3
    assert values(one, COUNTER) == values(other, COUNTER) == {(): [5.0]}
    directory = Path(membership_of(one).directory.path)
    assert directory == Path(membership_of(other).directory.path)
    assert tmp_path in directory.parents
    assert [path.stat().st_size for path in directory.glob("worker-*")] == [1 << 25, 1 << 25]


def test_a_full_disk_is_said_once_and_the_worker_counts_for_itself(
    mac: Callable[[], GroupStore], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, command: int, request: bytes) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fcntl, "fcntl", full)
    store = mac()
    for attributes in SERIES:
        store.row(COUNTER, attributes)[0] += 1
    assert values(store, COUNTER) == {attributes: [1.0] for attributes in SERIES}
    assert [record.getMessage().count("No space left") for record in caplog.records] == [1]


def test_a_file_that_is_used_up_leaves_later_series_in_private_memory(
    mac: Callable[[], GroupStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "CAPACITY", 1 << 12)
    monkeypatch.setattr(regions, "RESERVE", 1 << 12)
    one, other = mac(), mac()
    for attributes in SERIES * 10:
        one.row(COUNTER, attributes)[0] += 1
    many = tuple((("route", f"/later/{number}"),) for number in range(100))
    for attributes in many:
        one.row(COUNTER, attributes)[0] += 1
    assert values(one, COUNTER) == {
        **{attributes: [10.0] for attributes in SERIES},
        **{attributes: [1.0] for attributes in many},
    }
    assert 0 < len(values(other, COUNTER)) < len(SERIES) + len(many)
