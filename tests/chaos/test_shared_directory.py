"""Foreign files in the group's directory, clocks that jump, and thousands of workers that come and go."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.aggregation.group_store import GroupStore
from tests.chaos.crash_injection import count_calls
from tests.chaos.wsgi_worker import NO_GROUP, WsgiWorker, group_directory
from tests.forking import run_in_child
from tests.servers.server import gunicorn, total
from tests.unit.stores import COUNTER, HISTOGRAM, membership_of, values, worker
from tests.waiting import wait_until


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.fchdir(here)
    os.close(here)


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nothing")


def make_link_to_file(path: Path) -> None:
    precious = path.parents[3] / "precious"
    precious.write_text("precious")
    path.symlink_to(precious)


def make_text_file(path: Path) -> None:
    path.write_text("precious")


UNREPORTED_NAMES = ("delta", "fold", "worker-0", "worker-7")
"""Names of files that are not read in this test, or that may be skipped without a message."""

NAMES = ("worker-0", "worker-7", "archive", "admitted", "group", "fold", "push", "delta")


@pytest.mark.parametrize(
    "make", [make_pipe, make_socket, make_dangling_link, make_link_to_file, Path.mkdir, make_text_file]
)
@pytest.mark.parametrize("name", NAMES)
def test_a_foreign_file_with_one_of_our_names_stays_as_it_is_and_totals_are_exact(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    directory = tmp_path / "base"
    path = make_group(directory) / name
    make(path)
    before = path.lstat()

    def work() -> None:
        wsgi_worker = WsgiWorker(directory)
        wsgi_worker.serve(5)
        page = wsgi_worker.check_total(5)
        errors, skipped = "dualmetrics_internal_errors_total", "dualmetrics_skipped_files_total"
        messages = wsgi_worker.log.messages
        is_reported = total(page, errors) + total(page, skipped) + wsgi_worker.log.count(NO_GROUP)
        may_be_silent = path.name in UNREPORTED_NAMES or path.is_fifo() or make is make_text_file
        assert is_reported or may_be_silent, messages
        assert len(messages) == len(set(messages)), "each problem is logged once"

    run_in_child(work)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    for precious in tmp_path.glob("precious"):
        assert precious.read_text() == "precious"


def make_group(directory: Path) -> Path:
    """Make the directory of a group before its first worker. Returns it."""
    group = group_directory(directory)
    group.mkdir(0o700, parents=True)
    group.parent.chmod(0o700)
    return group


@pytest.mark.parametrize(
    "identity", ["", "[]", "{}", "null", "5", '{"group": "00"}', "\x00" * 99, "[" * 9999]
)
def test_with_a_damaged_identity_of_the_group_a_worker_counts_alone(tmp_path: Path, identity: str) -> None:
    def work() -> None:
        wsgi_worker = WsgiWorker(tmp_path)
        wsgi_worker.serve(5)
        wsgi_worker.check_total(5)
        assert wsgi_worker.log.count(NO_GROUP) == 1

    run_in_child(lambda: WsgiWorker(tmp_path).serve(3))
    (group_directory(tmp_path) / "group").write_text(identity)
    run_in_child(work)
    assert (group_directory(tmp_path) / "group").read_text() == identity


def test_thousands_of_foreign_files_stay_as_they_are_and_totals_are_exact(tmp_path: Path) -> None:
    store = worker(tmp_path)
    here = Path(membership_of(store).directory.path)
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
    store.row(COUNTER, ())[0] += 1
    store.row(HISTOGRAM, ())[1] += 1


@pytest.mark.parametrize("seconds", [-1e9, -3600.0, 3600.0, 1e9])
def test_totals_are_exact_when_the_clock_jumps(tmp_path: Path, seconds: float) -> None:
    def work() -> None:
        wsgi_worker = WsgiWorker(tmp_path)
        wsgi_worker.serve(5)
        shift_clock(seconds)
        wsgi_worker.serve(5)
        counter = wsgi_worker.telemetry.meter("app").create_counter("jobs")
        counter.add(1)
        run_in_child(lambda: WsgiWorker(tmp_path).serve(4))
        page = wsgi_worker.check_total(14)
        assert total(page, "jobs_total") == 1

    run_in_child(work)


def shift_clock(seconds: float) -> None:
    """Move the clock of this process."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


def live_and_die(directory: Path) -> None:
    """Be a worker that dies, in this process: the locks end as with a real death, but without a slow fork."""
    store = worker(directory)
    store.row(COUNTER, ())[0] += 1
    store.row(HISTOGRAM, ())[1] += 1
    membership_of(store).close()


@pytest.mark.server
def test_2000_dead_workers_cost_as_much_space_and_time_as_20(tmp_path: Path) -> None:
    store = worker(tmp_path)

    def costs_after(deaths: int) -> tuple[int, int, int]:
        """The files, their blocks, and the calls of one read, after so many more workers have died."""
        for number in range(deaths):
            if number % 10:
                live_and_die(tmp_path)
            else:
                run_in_child(lambda: _count_one(store))
            if number % 20 == 19:
                store.fold()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return len(files), sum(path.stat().st_blocks for path in files), count_calls(store.read)

    few = costs_after(20)
    many = costs_after(1980)
    assert many == few
    assert values(store, COUNTER) == {(): [2000.0]}
    assert values(store, HISTOGRAM) == {(): [0.0, 2000.0, 0.0, 0.0]}


def moved_aside(directory: Path) -> list[Path]:
    """The damaged files that were moved aside."""
    return list(group_directory(directory).glob("damaged-*"))


@pytest.mark.server
def test_a_server_moves_foreign_files_in_its_directory_aside_and_stays_exact(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "base"
    group = make_group(directory)
    (group / "archive").write_text("precious")
    make_pipe(group / "worker-0")
    with gunicorn("gunicorn-sync", tmp_path, workers=2, DUALMETRICS_DIR=str(directory)) as server:
        answered = server.work(20)
        server.wait_for_requests(20)
        server.kill_worker(max(answered))
        wait_until(lambda: server.page() and moved_aside(directory), 20, "the dead worker to be folded")
        server.work(20)
        page = server.wait_for_requests(40)
        assert total(page, "dualmetrics_skipped_files_total") >= 1
    [kept] = moved_aside(directory)
    assert kept.read_text() == "precious"
    assert server.log.read_text().count("skipped the file archive: foreign") <= 3, "once per worker"


@pytest.mark.server
def test_a_server_whose_directory_is_moved_away_stays_exact(tmp_path: Path) -> None:
    directory = tmp_path / "base"
    with gunicorn("gunicorn-gthread", tmp_path, workers=2, DUALMETRICS_DIR=str(directory)) as server:
        server.work(10)
        server.wait_for_requests(10)
        os.rename(directory, tmp_path / "elsewhere")
        server.work(10)
        server.wait_for_requests(20)
