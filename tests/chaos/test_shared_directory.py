"""Neighbours in the group's directory, clocks that jump, and workers by the thousand."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from tests.chaos.crash_injection import CALLS
from tests.chaos.wsgi_worker import Site, group
from tests.forking import run_in_child
from tests.servers.server import gunicorn, total
from tests.unit.stores import COUNTER, HISTOGRAM, values, worker
from tests.waiting import wait_until


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.fchdir(here)
    os.close(here)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def link_to_precious(path: Path) -> None:
    precious = path.parents[3] / "precious"
    precious.write_text("precious")
    path.symlink_to(precious)


def text(path: Path) -> None:
    path.write_text("precious")


UNUSED = ("delta", "fold", "worker-0", "worker-7")
"""Names that nobody reads here, or where a stranger is passed over in silence if it goes away."""

NAMES = ("worker-0", "worker-7", "archive", "admitted", "group", "fold", "push", "delta")


@pytest.mark.parametrize("make", [pipe, listener, link_to_nothing, link_to_precious, Path.mkdir, text])
@pytest.mark.parametrize("name", NAMES)
def test_something_else_of_a_name_of_ours(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    directory = tmp_path / "base"
    group(directory).mkdir(0o700, parents=True)
    group(directory).parent.chmod(0o700)
    path = group(directory) / name
    make(path)
    before = path.lstat()

    def work() -> None:
        site = Site(directory)
        site.work(5)
        page = site.check(5)
        errors, skipped = "dualmetrics_internal_errors_total", "dualmetrics_skipped_files_total"
        told = total(page, errors) + total(page, skipped) + site.log.times("no worker group")
        assert told or path.name in UNUSED or path.is_fifo() or make is text, site.log.said
        assert len(site.log.said) == len(set(site.log.said)), "each thing is said once"

    run_in_child(work)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    for precious in tmp_path.glob("precious"):
        assert precious.read_text() == "precious"


@pytest.mark.parametrize(
    "identity", ["", "[]", "{}", "null", "5", '{"group": "00"}', "\x00" * 99, "[" * 9999]
)
def test_a_damaged_identity_of_the_group(tmp_path: Path, identity: str) -> None:
    def work() -> None:
        site = Site(tmp_path)
        site.work(5)
        site.check(5)
        assert site.log.times("no worker group") == 1

    run_in_child(lambda: Site(tmp_path).work(3))
    (group(tmp_path) / "group").write_text(identity)
    run_in_child(work)
    assert (group(tmp_path) / "group").read_text() == identity


def test_thousands_of_foreign_files(tmp_path: Path) -> None:
    store = worker(tmp_path)
    membership = store.membership()
    assert membership is not None
    here = Path(membership.directory.path)
    for number in range(1000):
        (here / f"precious-{number}").touch()
        (here / f"worker-{number}x").touch()
        (here / f"worker-{number + 5}").write_text("precious" * 10)
    reasons: list[str] = []
    store.on_skipped = reasons.append
    store.row(COUNTER, ())[0] += 1
    run_in_child(lambda: _count_one(store))
    for _ in range(2):
        assert values(store, COUNTER) == {(): [2.0]}
        store.fold()
    assert reasons == ["foreign"] * 1000
    assert len(list(here.glob("precious-*"))) == 1000
    assert sum(path.read_bytes() == b"precious" * 10 for path in here.glob("worker-*[0-9]")) == 1000


def _count_one(store: GroupStore) -> None:
    store.after_fork_in_child()
    store.row(COUNTER, ())[0] += 1
    store.row(HISTOGRAM, ())[1] += 1


@pytest.mark.parametrize("seconds", [-1e9, -3600.0, 3600.0, 1e9])
def test_a_clock_that_jumps(tmp_path: Path, seconds: float) -> None:
    def work() -> None:
        site = Site(tmp_path)
        site.work(5)
        jump(seconds)
        site.work(5)
        counter = site.telemetry.meter("app").create_counter("jobs")
        counter.add(1)
        run_in_child(lambda: Site(tmp_path).work(4))
        page = site.check(14)
        assert total(page, "jobs_total") == 1

    run_in_child(work)


def jump(seconds: float) -> None:
    """Set this process' clock."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


def calls_of(work: Callable[[], object]) -> int:
    """How many calls of the file system ``work`` makes."""
    numbers = itertools.count()
    originals = {name: getattr(os, name) for name in CALLS}

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            next(numbers)
            return call(*args, **kwargs)

        return counted

    try:
        for name, call in originals.items():
            setattr(os, name, counting(call))
        work()
    finally:
        for name, call in originals.items():
            setattr(os, name, call)
    return next(numbers)


def short_life(directory: Path) -> None:
    """One of this process, whose locks end as those of a dead one do: a fork takes much longer."""
    store = worker(directory)
    store.row(COUNTER, ())[0] += 1
    store.row(HISTOGRAM, ())[1] += 1
    membership = store.membership()
    assert membership is not None
    membership.close()


@pytest.mark.server
def test_two_thousand_short_lives_leave_as_much_as_twenty(tmp_path: Path) -> None:
    store = worker(tmp_path)

    def lives(number: int) -> tuple[int, int, int]:
        for each in range(number):
            if each % 10:
                short_life(tmp_path)
            else:
                run_in_child(lambda: _count_one(store))
            if each % 20 == 19:
                store.fold()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return len(files), sum(path.stat().st_blocks for path in files), calls_of(store.read)

    few = lives(20)
    many = lives(1980)
    assert many == few
    assert values(store, COUNTER) == {(): [2000.0]}
    assert values(store, HISTOGRAM) == {(): [0.0, 2000.0, 0.0, 0.0]}


def damaged(directory: Path) -> list[Path]:
    """What was moved aside."""
    return list(group(directory).glob("damaged-*"))


@pytest.mark.server
def test_a_server_among_bad_neighbours(tmp_path: Path) -> None:
    directory = tmp_path / "base"
    group(directory).mkdir(0o700, parents=True)
    group(directory).parent.chmod(0o700)
    (group(directory) / "archive").write_text("precious")
    pipe(group(directory) / "worker-0")
    with gunicorn("gunicorn-sync", tmp_path, workers=2, DUALMETRICS_DIR=str(directory)) as server:
        answered = server.work(20)
        server.wait_for_requests(20)
        os.kill(max(answered), signal.SIGKILL)
        wait_until(lambda: server.page() and damaged(directory), 20, "the dead one to be folded")
        server.work(20)
        page = server.wait_for_requests(40)
        assert total(page, "dualmetrics_skipped_files_total") >= 1
    [kept] = damaged(directory)
    assert kept.read_text() == "precious"
    assert server.log.read_text().count("left out archive: foreign") <= 3, "once a worker"


@pytest.mark.server
def test_a_server_whose_directory_is_removed_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "base"
    with gunicorn("gunicorn-gthread", tmp_path, workers=2, DUALMETRICS_DIR=str(directory)) as server:
        server.work(10)
        server.wait_for_requests(10)
        os.rename(directory, tmp_path / "elsewhere")
        server.work(10)
        server.wait_for_requests(20)
