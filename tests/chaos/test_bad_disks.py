"""A disk that is full, forbidden or gone: the app serves, the page answers, and it is said once."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.wsgi_worker import Site, group
from tests.forking import run_in_child
from tests.servers.server import total

NOBODY = 65534
as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TRIED: only root may mount, and become another user"
)


def internal_errors(site: Site) -> float:
    return total(site.page(), "dualmetrics_internal_errors_total")


@contextlib.contextmanager
def tmpfs(path: Path, options: str) -> Iterator[Path]:
    """A small disk of its own; skips where mounting is not permitted."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"NOT TRIED: no tmpfs can be mounted here: {done.stderr.decode()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(directory: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), (directory / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@as_root
@pytest.mark.parametrize("options", ["size=64k", "size=4k", "size=1m,nr_inodes=4", "size=1m,nr_inodes=6"])
def test_a_disk_too_small_from_the_start(tmp_path: Path, options: str) -> None:
    def work() -> None:
        site = Site(small)
        site.work(5)
        assert site.check(5)
        assert site.log.times("private") + site.log.times("no worker group") == 1, site.log.said

    with tmpfs(tmp_path / "small", options) as small:
        run_in_child(work)


@as_root
def test_a_disk_that_fills_up_under_two_workers(tmp_path: Path) -> None:
    def first() -> None:
        site = Site(small)
        site.work(3)
        fill(small)
        counter = site.telemetry.meter("app").create_counter("jobs")
        for number in range(1500):  # more than the space that was reserved
            counter.add(1, {"number": number})
        site.work(2)
        run_in_child(lambda: second(site))
        assert total(site.check(5), "jobs_total") == 1500
        assert site.log.times("private") == 1
        assert internal_errors(site) >= 1

    def second(site: Site) -> None:
        site.work(2)
        assert total(site.page(), "http_requests_total") == 7
        assert site.log.times("private") == 1, "by the parent already"

    with tmpfs(tmp_path / "small", "size=512k") as small:
        run_in_child(first)


@as_root
def test_dead_workers_on_a_full_disk_are_counted_though_not_folded(tmp_path: Path) -> None:
    def last() -> None:
        site = Site(small)
        site.work(1)
        assert site.check(7)
        assert site.log.times("folding the dead workers' files failed") == 1
        assert internal_errors(site) >= 1

    with tmpfs(tmp_path / "small", "size=512k") as small:
        for _ in range(2):
            run_in_child(lambda: Site(small).work(3))
        fill(small)
        run_in_child(last)
        (small / "filling").unlink()
        run_in_child(lambda: assert_total(small, 6))
        assert len(list(group(small).glob("worker-*"))) == 1, "all but the last one are folded"


def assert_total(directory: Path, expected: float) -> None:
    assert total(Site(directory).page(), "http_requests_total") == expected


@pytest.mark.parametrize("most", [0, 100, 1 << 16, 1 << 27])
def test_a_limit_on_the_size_of_files(tmp_path: Path, most: int) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        site = Site(tmp_path)
        site.work(5)
        site.check(5)
        assert site.log.times("private") + site.log.times("no worker group") == 1, site.log.said

    run_in_child(work)


def as_nobody(directory: Path, work: Callable[[], None]) -> None:
    """Run ``work`` in a child of another user, who can reach ``directory`` but not import any more."""

    def become() -> None:
        loaded = Site(directory / "imports")
        loaded.work(1)
        loaded.page()
        shutil.rmtree(directory / "imports")
        os.setuid(NOBODY)
        work()

    for parent in (directory, *directory.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    run_in_child(become)


def read_only(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o555)


def missing(directory: Path) -> None:
    (directory.parent / "file").touch()
    directory.symlink_to("file/nowhere")


def link(directory: Path) -> None:
    """Our directory's name leads to somebody's else."""
    (directory.parent / "precious").mkdir()
    directory.mkdir()
    (directory / f"dualmetrics-{NOBODY}").symlink_to("../precious")


def root_owned(directory: Path) -> None:
    (directory / f"dualmetrics-{NOBODY}").mkdir(parents=True)


@as_root
@pytest.mark.parametrize("spoil", [read_only, missing, link, root_owned])
def test_a_directory_that_is_not_to_be_used(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    directory = tmp_path / "group"
    spoil(directory)
    before = sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))

    def work() -> None:
        site = Site(directory)
        site.work(5)
        site.check(5)
        assert site.log.times("no worker group") == 1

    as_nobody(tmp_path, work)
    assert sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


@as_root
@pytest.mark.parametrize("name", ["archive", "admitted", "group", "fold", "push", "worker-0"])
def test_a_file_of_somebody_else(tmp_path: Path, name: str) -> None:
    tmp_path.chmod(0o777)
    mine = tmp_path / f"dualmetrics-{NOBODY}"

    def work() -> None:
        site = Site(tmp_path)
        site.work(5)
        site.check(5)

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
    "gone", ["its file", "the archive", "the log", "the identity", "the directory", "all"]
)
def test_what_is_deleted_under_a_living_worker(tmp_path: Path, gone: str) -> None:
    def work() -> None:
        site = Site(tmp_path)
        site.work(5)
        site.check(5)
        remove(tmp_path, gone)
        site.work(5)
        site.telemetry.meter("app").create_counter("jobs").add(1, {"new": "series"})
        assert total(site.check(10), "jobs_total") == 1

    run_in_child(work)


def remove(directory: Path, what: str) -> None:
    names = {"its file": "worker-0", "the archive": "archive", "the log": "admitted", "the identity": "group"}
    if what in names:
        (group(directory) / names[what]).unlink(missing_ok=True)
    else:
        shutil.rmtree(group(directory) if what == "the directory" else group(directory).parent)
