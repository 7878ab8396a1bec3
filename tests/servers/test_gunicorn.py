"""What gunicorn's master is told by signals: reload with other settings, upgrade, more and fewer workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.servers.server import Samples, Server, gunicorn, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

KINDS = ["gunicorn-sync", "gunicorn-asgi"]


def pages(server: Server) -> set[float]:
    """The requests that the pages of several workers show."""
    return {total(server.page(), "http_requests_total") for _ in range(12)}


def bounds(page: Samples) -> set[str]:
    """The bounds of the durations' histogram."""
    name = "http_request_duration_milliseconds_bucket"
    return {dict(labels)["le"] for found, labels in page if found == name}


def children(pid: int) -> set[int]:
    """The children of a process."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:  # it has ended
        return set()


def upgrade(server: Server, old: int) -> int:
    """Start a new master beside the old one; its pid, once it is there."""
    if old != server.process.pid:  # it was started by an upgrade, and takes no signal as long as it is new
        wait_until(lambda: "promoted" in server.log.read_text(), 20, "the new master to be the master")
    before = children(old)
    os.kill(old, signal.SIGUSR2)
    wait_until(lambda: children(old) - before, 20, "a new master", details=server.log.read_text)
    (master,) = children(old) - before
    return master


def ask_until_answered_by(server: Server, master: int) -> int:
    """How many requests it took until a worker of this master answered: from then on it can take over."""
    asked = 0
    while not set(server.work(20)) & children(master):
        asked += 20
        assert asked < 10_000, server.log.read_text()
    return asked + 20


def end(server: Server, master: int) -> None:
    """Ask a master to end, and wait for that."""
    os.kill(master, signal.SIGTERM)
    if master == server.process.pid:
        server.process.wait(20)
    wait_until(lambda: not children(master), 20, "the master and its workers to end")


def tell(server: Server, number: int, workers: int) -> None:
    """Send the signal and wait for so many workers; the same signal sent twice may arrive once."""
    server.process.send_signal(number)
    wait_until(lambda: len(server.workers()) == workers, 20, f"{workers} workers")


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_upgrade_keeps_the_group(kind: str, preload: list[str], tmp_path: Path) -> None:
    with gunicorn(kind, tmp_path, *preload) as server:
        server.work(50)
        server.wait_for_requests(50)
        masters, asked = [server.process.pid], 50
        for _ in range(2):
            masters.append(upgrade(server, masters[-1]))
            asked += ask_until_answered_by(server, masters[-1])
            server.wait_for_requests(asked)
            assert pages(server) == {asked}
            end(server, masters[-2])
            wait_until(lambda: set(server.work(1)) <= children(masters[-1]), 20, "the old ones to be gone")
            asked = int(total(server.page(), "http_requests_total")) + 50
            server.work(50)
            server.wait_for_requests(asked)
            assert pages(server) == {asked}
        end(server, masters[-1])


def test_a_reload_with_other_bounds_keeps_the_counters_and_begins_the_histogram_anew(tmp_path: Path) -> None:
    config = tmp_path / "gunicorn.conf.py"
    config.write_text('raw_env = ["DUALMETRICS_BUCKETS=0.1,1"]')
    with gunicorn("gunicorn-gthread", tmp_path, "-c", str(config)) as server:
        server.work(50)
        assert bounds(server.wait_for_requests(50)) == {"100", "1000", "+Inf"}
        before = server.workers()
        # another length: within a second of the first, Python takes a file as long as before for unchanged
        config.write_text('raw_env = ["DUALMETRICS_BUCKETS=0.25,2.5"]')
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 4 and not server.workers() & before, 20, "new workers")
        server.work(50)
        page = server.wait_for_requests(100)
        assert bounds(page) == {"250", "2500", "+Inf"}
        assert total(page, "http_request_duration_milliseconds_count") == 50
        assert pages(server) == {100}
        assert "http.request.duration is now declared differently" in server.log.read_text()


def test_workers_that_come_and_go_by_signal_are_counted_in(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path, workers=2) as server:
        server.work(50)
        for wanted in (3, 4):
            tell(server, signal.SIGTTIN, wanted)
        server.work(50)
        server.wait_for_requests(100)
        for wanted in (3, 2, 1):
            tell(server, signal.SIGTTOU, wanted)
        server.work(50)
        page = server.wait_for_requests(150)
        assert pages(server) == {150}
        assert total(page, "dualmetrics_workers") == 1


def test_workers_that_changed_their_title_are_one_group(tmp_path: Path) -> None:
    pytest.importorskip("setproctitle")
    with gunicorn("gunicorn-sync", tmp_path) as server:
        titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in server.workers()]
        assert all(title.startswith(b"gunicorn: worker") for title in titles)
        asked = server.work_until_several_answer(100).total()
        server.wait_for_requests(asked)
        assert pages(server) == {asked}
