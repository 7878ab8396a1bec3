"""A disk that is full, forbidden or gone: the app serves, the page answers, and one message says why."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualmetrics.workers import membership
from tests.chaos.wsgi_worker import NO_GROUP, NO_SPACE, WsgiWorker, group_directory
from tests.forking import run_in_child
from tests.servers.server import total

NOBODY = 65534
as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TESTED: only root may mount a disk and become another user"
)


@contextlib.contextmanager
def tmpfs(path: Path, options: str) -> Iterator[Path]:
    """Mount a small disk; skip the test where mounting is not permitted."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: no tmpfs can be mounted here: {mounted.stderr.decode()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(directory: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), (directory / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@as_root
@pytest.mark.parametrize("options", ["size=64k", "size=4k", "size=1m,nr_inodes=4", "size=1m,nr_inodes=6"])
def test_on_a_disk_that_is_too_small_the_worker_counts_in_private_memory(
    tmp_path: Path, options: str
) -> None:
    def work() -> None:
        worker = WsgiWorker(small)
        worker.serve(5)
        assert worker.check_total(5)
        assert worker.private_memory_messages() == 1, worker.log.messages

    with tmpfs(tmp_path / "small", options) as small:
        run_in_child(work)


@as_root
def test_two_workers_go_on_counting_when_their_disk_is_full(tmp_path: Path) -> None:
    def first() -> None:
        worker = WsgiWorker(small)
        worker.serve(3)
        fill(small)
        counter = worker.telemetry.meter("app").create_counter("jobs")
        for number in range(1500):  # more than the space that was reserved
            counter.add(1, {"number": number})
        worker.serve(2)
        run_in_child(lambda: second(worker))
        assert total(worker.check_total(5), "jobs_total") == 1500
        assert worker.log.count(NO_SPACE) == 1
        assert worker.internal_errors() >= 1

    def second(worker: WsgiWorker) -> None:
        worker.serve(2)
        assert total(worker.page(), "http_requests_total") == 7
        assert worker.log.count(NO_SPACE) == 1, "logged by the parent before the fork"

    with tmpfs(tmp_path / "small", "size=512k") as small:
        run_in_child(first)


@as_root
def test_dead_workers_on_a_full_disk_are_counted_and_folded_later(tmp_path: Path) -> None:
    def last() -> None:
        worker = WsgiWorker(small)
        worker.serve(1)
        assert worker.check_total(7)
        assert worker.log.count("folding the files of dead workers failed") == 1
        assert worker.internal_errors() >= 1

    with tmpfs(tmp_path / "small", "size=512k") as small:
        for _ in range(2):
            run_in_child(lambda: WsgiWorker(small).serve(3))
        fill(small)
        run_in_child(last)
        (small / "filling").unlink()
        run_in_child(lambda: check_shown_total(small, 6))
        assert len(list(group_directory(small).glob("worker-*"))) == 1, "all but the last one are folded"


def check_shown_total(directory: Path, expected: float) -> None:
    assert total(WsgiWorker(directory).page(), "http_requests_total") == expected


@pytest.mark.parametrize("limit", [0, 100, 1 << 16, 1 << 27])
def test_under_a_limit_on_file_sizes_the_worker_counts_in_private_memory(tmp_path: Path, limit: int) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        worker = WsgiWorker(tmp_path)
        worker.serve(5)
        worker.check_total(5)
        assert worker.private_memory_messages() == 1, worker.log.messages

    run_in_child(work)


def as_nobody(directory: Path, work: Callable[[], None]) -> None:
    """Run ``work`` in a child of another user, who may enter ``directory`` but cannot read our source."""

    def become_nobody() -> None:
        worker = WsgiWorker(directory / "imports")  # imports all that the work needs
        worker.serve(1)
        worker.page()
        shutil.rmtree(directory / "imports")
        os.setuid(NOBODY)
        work()

    for parent in (directory, *directory.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    run_in_child(become_nobody)


def make_read_only(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o555)


def make_dangling(directory: Path) -> None:
    (directory.parent / "file").touch()
    directory.symlink_to("file/nowhere")


def make_link_elsewhere(directory: Path) -> None:
    """Make the name of our directory a link to another one."""
    (directory.parent / "precious").mkdir()
    directory.mkdir()
    (directory / f"dualmetrics-{NOBODY}").symlink_to("../precious")


def make_owned_by_root(directory: Path) -> None:
    (directory / f"dualmetrics-{NOBODY}").mkdir(parents=True)


@as_root
@pytest.mark.parametrize("spoil", [make_read_only, make_dangling, make_link_elsewhere, make_owned_by_root])
def test_an_unusable_directory_is_left_untouched_and_the_worker_counts_alone(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    directory = tmp_path / "group"
    spoil(directory)
    before = sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))

    def work() -> None:
        worker = WsgiWorker(directory)
        worker.serve(5)
        worker.check_total(5)
        assert worker.log.count(NO_GROUP) == 1

    as_nobody(tmp_path, work)
    assert sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


@as_root
@pytest.mark.parametrize("name", ["archive", "admitted", "group", "fold", "push", "worker-0"])
def test_a_foreign_file_with_one_of_our_names_stays_as_it_is(tmp_path: Path, name: str) -> None:
    tmp_path.chmod(0o777)
    mine = tmp_path / f"dualmetrics-{NOBODY}"

    def work() -> None:
        worker = WsgiWorker(tmp_path)
        worker.serve(5)
        worker.check_total(5)

    (mine / "default").mkdir(parents=True)
    for path in (mine, mine / "default"):
        path.chmod(0o700)
        os.chown(path, NOBODY, NOBODY)
    foreign = mine / "default" / name
    foreign.write_text("precious")
    foreign.chmod(0o600)
    as_nobody(tmp_path, work)
    assert foreign.read_text() == "precious"


@pytest.mark.parametrize(
    "what", ["its file", "the archive", "the admission log", "the identity", "the group", "all groups"]
)
def test_a_live_worker_goes_on_counting_when_its_files_are_deleted(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "REPAIR_SECONDS", 0.0)

    def work() -> None:
        worker = WsgiWorker(tmp_path)
        worker.serve(5)
        worker.check_total(5)
        delete(tmp_path, what)
        worker.serve(5)
        worker.telemetry.meter("app").create_counter("jobs").add(1, {"new": "series"})
        assert total(worker.check_total(10), "jobs_total") == 1

    run_in_child(work)


def delete(directory: Path, what: str) -> None:
    group = group_directory(directory)
    names = {
        "its file": "worker-0",
        "the archive": "archive",
        "the admission log": "admitted",
        "the identity": "group",
    }
    if what in names:
        (group / names[what]).unlink(missing_ok=True)
    else:
        shutil.rmtree(group if what == "the group" else group.parent)
