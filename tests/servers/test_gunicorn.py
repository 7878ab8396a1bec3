"""gunicorn's signals: reload with other settings, upgrade, more and fewer workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.servers.server import Samples, Server, gunicorn, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

KINDS = ["gunicorn-sync", "gunicorn-asgi"]


def bounds(page: Samples) -> set[str]:
    """Return the bounds of the request duration."""
    bucket = "http_request_duration_milliseconds_bucket"
    return {dict(labels)["le"] for name, labels in page if name == bucket}


def children(pid: int) -> set[int]:
    """Return the pids of a process' children."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:  # it has ended
        return set()


def upgrade(server: Server, old: int) -> int:
    """Start a new master beside the old one. Returns its pid."""
    if old != server.process.pid:  # it came from an upgrade, and ignores signals until it is promoted
        wait_until(lambda: "promoted" in server.log.read_text(), 20, "the new master to be promoted")
    before = children(old)
    os.kill(old, signal.SIGUSR2)
    wait_until(lambda: children(old) - before, 20, "a new master", details=server.log.read_text)
    (master,) = children(old) - before
    return master


def work_until_answered_by(server: Server, master: int) -> int:
    """Send requests until a worker of this master has answered. Returns how many were sent."""
    sent = 20
    while not set(server.work(20)) & children(master):
        sent += 20
        assert sent < 10_000, server.log.read_text()
    return sent


def end(server: Server, master: int) -> None:
    """Send a master SIGTERM, and wait for its end."""
    os.kill(master, signal.SIGTERM)
    if master == server.process.pid:
        server.process.wait(20)
    wait_until(lambda: not children(master), 20, "the master and its workers to end")


def resize(server: Server, number: int, workers: int) -> None:
    """Send the signal and wait for so many workers, since two signals at once may arrive as one."""
    server.process.send_signal(number)
    wait_until(lambda: len(server.workers()) == workers, 20, f"{workers} workers")


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_upgrade_keeps_the_group(kind: str, preload: list[str], tmp_path: Path) -> None:
    with gunicorn(kind, tmp_path, *preload) as server:
        server.work(50)
        server.wait_for_requests(50)
        masters, sent = [server.process.pid], 50
        for _ in range(2):
            masters.append(upgrade(server, masters[-1]))
            sent += work_until_answered_by(server, masters[-1])
            server.wait_for_requests(sent)
            assert server.request_totals() == {sent}
            end(server, masters[-2])
            wait_until(lambda: set(server.work(1)) <= children(masters[-1]), 20, "the old workers to end")
            sent = int(total(server.page(), "http_requests_total")) + 50
            server.work(50)
            server.wait_for_requests(sent)
            assert server.request_totals() == {sent}
        end(server, masters[-1])


def test_a_reload_with_other_bounds_keeps_the_counters_and_restarts_the_histogram(tmp_path: Path) -> None:
    config = tmp_path / "gunicorn.conf.py"
    config.write_text('raw_env = ["DUALMETRICS_BUCKETS=0.1,1"]')
    with gunicorn("gunicorn-gthread", tmp_path, "-c", str(config)) as server:
        server.work(50)
        assert bounds(server.wait_for_requests(50)) == {"100", "1000", "+Inf"}
        before = server.workers()
        # Of another length: Python takes a file of the same second and length for unchanged.
        config.write_text('raw_env = ["DUALMETRICS_BUCKETS=0.25,2.5"]')
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 4 and not server.workers() & before, 20, "new workers")
        server.work(50)
        page = server.wait_for_requests(100)
        assert bounds(page) == {"250", "2500", "+Inf"}
        assert total(page, "http_request_duration_milliseconds_count") == 50
        assert server.request_totals() == {100}
        assert "a newer worker declares http.request.duration" in server.log.read_text()


def test_totals_stay_exact_while_signals_add_and_remove_workers(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path, workers=2) as server:
        server.work(50)
        for workers in (3, 4):
            resize(server, signal.SIGTTIN, workers)
        server.work(50)
        server.wait_for_requests(100)
        for workers in (3, 2, 1):
            resize(server, signal.SIGTTOU, workers)
        server.work(50)
        page = server.wait_for_requests(150)
        assert server.request_totals() == {150}
        assert total(page, "dualmetrics_workers") == 1


def has_title(worker: int) -> bool:
    return Path(f"/proc/{worker}/cmdline").read_bytes().startswith(b"gunicorn: worker")


def test_workers_that_changed_their_title_are_one_group(tmp_path: Path) -> None:
    pytest.importorskip("setproctitle")
    with gunicorn("gunicorn-sync", tmp_path) as server:
        # gunicorn changes the title of a worker some time after it has forked it.
        wait_until(lambda: all(map(has_title, server.workers())), 10, "all workers to change their title")
        sent = server.work_until_several_answer(100).total()
        server.wait_for_requests(sent)
        assert server.request_totals() == {sent}
