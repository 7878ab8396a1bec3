"""Pushes are on time and the extra port answers, whatever forks and however short the workers live."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.ports import free_port
from tests.servers import forking_script
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import Server, gunicorn, run_server, samples, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

INTERVAL = 1.0

WARNINGS = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
"""All are errors, except for that of a fork beside threads, which Python 3.15 raises in the parent."""


@contextlib.contextmanager
def script(kind: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program that forks, until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, *WARNINGS, forking_script.__file__, kind],
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def fork(process: subprocess.Popen[str], times: int, pause: float) -> float:
    """Have the program fork so often. Returns how long that took, in seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    started = time.monotonic()
    process.stdin.write(f"{times} {pause}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    return time.monotonic() - started


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


def pushes(receiver: Receiver) -> int:
    return len(receiver.requests)


def enough(seconds: float) -> int:
    """The least number of pushes in this time: one may have come just before it."""
    return int(seconds / (1.1 * INTERVAL + 0.2)) - 1


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])
def test_recycled_workers_push_once_an_interval(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Receiver() as receiver:
        env = push_settings(receiver, interval=int(1000 * INTERVAL))
        with gunicorn(
            "gunicorn-sync", tmp_path, *options, "--max-requests", "20", workers=2, **env
        ) as server:
            server.work(20)
            wait_until(lambda: pushes(receiver), 10, "the first push")
            before, started, workers = pushes(receiver), time.monotonic(), set(server.workers())
            while time.monotonic() < started + 8 * INTERVAL:
                server.work(10)
                workers |= server.workers()
                time.sleep(0.1)
            assert len(workers) > 8, "too few workers were recycled for a meaningful test"
            assert pushes(receiver) - before >= enough(time.monotonic() - started)


@pytest.mark.parametrize(("kind", "name"), [("parent", "jobs"), ("observable", "now")])
def test_a_process_that_forks_all_the_time_pushes_once_an_interval(kind: str, name: str) -> None:
    with Receiver() as receiver:
        env = push_settings(receiver, interval=int(1000 * INTERVAL))
        with script(kind, **env) as process:
            fork(process, 1, 0)
            wait_until(lambda: pushed_total(receiver, name), 10, "the first push")
            before = pushes(receiver)
            seconds = fork(process, 40, 0.15)
            assert pushes(receiver) - before >= enough(seconds)


def test_a_parent_that_counts_nothing_pushes_what_its_children_have_counted() -> None:
    with Receiver() as receiver:
        env = push_settings(receiver, interval=int(1000 * INTERVAL))
        with script("jobs", **env) as process:
            seconds = fork(process, 30, 0.15)
            assert pushes(receiver) >= enough(seconds)
            wait_until(lambda: pushed_total(receiver, "dualmetrics.workers") == 0, 10, "no worker in a push")
            fork(process, 10, 0)
            end(process)
        assert pushed_total(receiver, "jobs") == 40


def test_a_parent_that_counts_nothing_pushes_at_its_end() -> None:
    with Receiver() as receiver:
        with script("jobs", **push_settings(receiver, interval=60_000)) as process:
            fork(process, 5, 0)
            end(process)
        assert pushed_total(receiver, "jobs") == 5


class Scrapes:
    """Scrapes of a port, one after the other, each on a new connection."""

    def __init__(self, port: int) -> None:
        self._server = Server(None, port, Path())  # type: ignore[arg-type]  # only its page is used
        self.refused = 0
        self.total = 0.0

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self._server.get("/metrics")[0] == 200
        return False

    def scrape(self, name: str) -> None:
        try:
            status, body = self._server.get("/metrics")
        except OSError:
            self.refused += 1
            return
        assert status == 200
        self.total = total(samples(body), name)


@pytest.mark.parametrize(("kind", "count"), [("parent", 41), ("jobs", 41)])
def test_the_extra_port_answers_while_its_process_forks(kind: str, count: int) -> None:
    port = free_port()
    with script(kind, PROMETHEUS_PORT=str(port), OTEL_METRICS_EXPORTER="prometheus") as process:
        fork(process, 1, 0)
        scrapes = Scrapes(port)
        wait_until(scrapes.answers, 10, "the extra port")
        assert process.stdin is not None
        process.stdin.write("40 0.02\n")
        process.stdin.flush()
        deadline = time.monotonic() + 20
        while scrapes.total < count and time.monotonic() < deadline:
            scrapes.scrape("jobs_total")
        assert (scrapes.total, scrapes.refused) == (count, 0)


def test_the_extra_port_answers_while_workers_are_recycled(tmp_path: Path) -> None:
    port = free_port()
    options = ("--max-requests", "20", "--max-requests-jitter", "20")
    with gunicorn("gunicorn-sync", tmp_path, *options, workers=4, PROMETHEUS_PORT=str(port)) as server:
        scrapes, workers = Scrapes(port), set(server.work(10))
        wait_until(scrapes.answers, 10, "the extra port")
        for _ in range(100):
            workers |= set(server.work(10))
            scrapes.scrape("http_requests_total")
        assert len(workers) > 15, "too few workers were recycled for a meaningful test"
        # A connection is lost that a worker has not accepted when it ends, or while there is no worker.
        assert scrapes.refused <= 4


def test_the_extra_port_of_another_group_is_not_shared(tmp_path: Path) -> None:
    port = free_port()
    env = {"PROMETHEUS_PORT": str(port), "OTEL_METRICS_EXPORTER": "prometheus"}
    with script("parent", **env) as process:
        fork(process, 3, 0)
        scrapes = Scrapes(port)
        wait_until(scrapes.answers, 10, "the extra port")
        with gunicorn("gunicorn-sync", tmp_path, workers=2, **env) as server:
            server.work(20)
            wait_until(lambda: f"PROMETHEUS_PORT={port}" in server.log.read_text(), 20, "the message")
            for _ in range(20):
                scrapes.scrape("jobs_total")
                assert scrapes.total == 3


@pytest.mark.parametrize(
    ("host", "address"), [("", "127.0.0.1"), ("", "::1"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1")]
)
def test_the_extra_port_listens_on_both_families_or_on_the_host_that_is_set(host: str, address: str) -> None:
    port = free_port()
    env = {"PROMETHEUS_PORT": str(port), "PROMETHEUS_HOST": host, "OTEL_METRICS_EXPORTER": "prometheus"}
    with script("parent", **env) as process:
        fork(process, 1, 0)

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((address, port), 5) as connection:
                connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                return connection.recv(15) == b"HTTP/1.0 200 OK"
            return False

        wait_until(answers, 10, "the page")


@pytest.mark.parametrize("kind", ["gunicorn-sync", "gunicorn-gthread", "gunicorn-asgi", "gunicorn-uvicorn"])
@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])
def test_idle_workers_are_counted(tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    with gunicorn(kind, tmp_path, *options, workers=4) as server:
        wait_until(
            lambda: total(server.page(), "dualmetrics_workers") == 4, 10, "all workers", details=server.page
        )
        server.kill_worker(min(server.workers()))
        wait_until(
            lambda: total(server.page(), "dualmetrics_workers") == 4, 10, "all workers", details=server.page
        )


def test_a_server_with_one_process_is_one_worker_on_its_first_page(tmp_path: Path) -> None:
    port = free_port()
    command = ["waitress", f"--listen=127.0.0.1:{port}", "tests.servers.flask_app:app"]
    pytest.importorskip("waitress")
    with run_server(command, port, tmp_path, {}) as server:
        assert total(server.page(), "dualmetrics_workers") == 1
