"""PROMETHEUS_PORT when the process ends that answers there: another one of the group takes over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import Server, gunicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

OWNER = """
import os, signal, sys, time
from dualmetrics import configure

jobs = configure().meter("script").create_counter("jobs")
jobs.add(1)
sys.stdin.readline()
if os.fork() == 0:
    jobs.add(1)
    print(os.getpid(), flush=True)
signal.pause()
"""

SECONDS = 2.0
"""A take-over lasts one second at most. The rest is for a machine that does a lot besides."""


@contextlib.contextmanager
def owner(port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has the port, and forks a child when it is told to."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env={**os.environ, "PROMETHEUS_PORT": str(port), "PROMETHEUS_HOST": "127.0.0.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def page_of(port: int) -> Server:
    return Server(None, port, Path())  # type: ignore[arg-type]  # only its page is used


def answers(server: Server) -> bool:
    with contextlib.suppress(OSError):
        return server.get("/metrics")[0] == 200
    return False


def kill_and_wait_for_another(process: subprocess.Popen[str], server: Server) -> float:
    """Kill the process that answers. Returns the seconds until another one does."""
    process.kill()
    process.wait()
    killed = time.monotonic()
    wait_until(lambda: answers(server), 20, "another process to answer")
    return time.monotonic() - killed


def test_a_child_takes_over_from_its_parent_however_young_it_is() -> None:
    server = page_of(free_port())
    with owner(server.port) as process:
        wait_until(lambda: answers(server), 20, "the first process to answer")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("fork\n")
        process.stdin.flush()
        assert process.stdout.readline()
        assert kill_and_wait_for_another(process, server) < SECONDS
        assert b"jobs_total" in server.get("/metrics")[1]


def test_another_group_takes_over_when_the_port_is_free() -> None:
    server = page_of(free_port())
    with owner(server.port) as process:
        wait_until(lambda: answers(server), 20, "the first process to answer")
        with owner(server.port) as other:
            assert other.stderr is not None
            assert any("cannot listen" in line for line in other.stderr)
            assert kill_and_wait_for_another(process, server) < SECONDS


def listeners(port: int) -> int:
    """How many sockets listen on a port of 127.0.0.1."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(fields[1] == f"0100007F:{port:04X}" and fields[3] == "0A" for fields in sockets)


def test_a_kill_of_one_worker_refuses_nothing(tmp_path: Path) -> None:
    port = free_port()
    refused, done = [], threading.Event()

    def scrape() -> None:
        while not done.is_set():
            try:
                page_of(port).get("/metrics")
            except ConnectionRefusedError as error:
                refused.append(error)
            except OSError:  # a connection to the killed worker ends
                pass

    env = {"PROMETHEUS_PORT": str(port), "PROMETHEUS_HOST": "127.0.0.1"}
    with gunicorn("gunicorn-sync", tmp_path, workers=3, **env) as server:
        server.work(10)
        wait_until(lambda: listeners(port) >= 3, 20, "all workers to listen")
        scraper = threading.Thread(target=scrape)
        scraper.start()
        try:
            for pid in sorted(server.workers())[:2]:
                server.kill_worker(pid)
        finally:
            done.set()
            scraper.join()
    assert refused == []
