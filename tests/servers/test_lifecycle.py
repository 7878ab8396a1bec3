"""What surrounds the totals: Collectors that hang, reloads, ports, groups that stay apart."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import Samples, Server, gunicorn, total, uvicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

TIMEOUT = 1.0


@contextmanager
def silent_collector() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    kept.append(listening.accept()[0])
            except OSError:  # closed below
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("kind", ["gunicorn-sync", "gunicorn-uvicorn", "uvicorn"])
def test_a_collector_that_never_answers_holds_up_neither_requests_nor_the_end(
    kind: str, protocol: str, tmp_path: Path
) -> None:
    with silent_collector() as endpoint:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "DUALMETRICS_SHUTDOWN_TIMEOUT": str(TIMEOUT),
        }
        started = (
            uvicorn(tmp_path, workers=1, **env)
            if kind == "uvicorn"
            else gunicorn(kind, tmp_path, workers=2, **env)
        )
        with started as server:
            server.work(300)
            server.wait_for_requests(300)
            # Beside our timeout the server itself takes its time, measured without us.
            assert server.stop() < TIMEOUT + 1 + _own_time(kind, tmp_path)


def _own_time(kind: str, tmp_path: Path) -> float:
    """How long the same server takes to end when nothing is exported."""
    env = {"OTEL_METRICS_EXPORTER": "prometheus"}
    started = (
        uvicorn(tmp_path, workers=1, **env)
        if kind == "uvicorn"
        else gunicorn(kind, tmp_path, workers=2, **env)
    )
    with started as server:
        return server.stop()


def test_two_servers_of_one_shell_stay_apart(tmp_path: Path) -> None:
    with (
        gunicorn("gunicorn-sync", tmp_path, workers=2) as one,
        gunicorn("gunicorn-sync", tmp_path, workers=2) as other,
    ):
        one.work(30)
        one.wait_for_requests(30)
        other.work(7)
        other.wait_for_requests(7)
        assert {total(one.page(), "http_requests_total") for _ in range(6)} == {30}
        assert {total(other.page(), "http_requests_total") for _ in range(6)} == {7}


def test_a_reload_keeps_the_group(tmp_path: Path) -> None:
    with gunicorn("gunicorn-gthread", tmp_path) as server:
        server.work(50)
        before = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 4 and not server.workers() & before, 20, "new workers")
        server.work(50)
        server.wait_for_requests(100)
        assert {total(server.page(), "http_requests_total") for _ in range(8)} == {100}


def test_an_app_recorded_at_import_under_a_preloading_master_counts_once(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path, "--preload", RECORD_AT_IMPORT="1") as server:
        server.work(40)
        page = server.wait_for_requests(40)
        assert total(page, "jobs_total", where="import") == 1
        assert total(page, "jobs_total", where="request") == 40


def test_workers_that_are_recycled_lose_nothing(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path, "--max-requests", "20", workers=2) as server:
        assert len(server.work(400)) > 5, "too few workers were recycled to show anything"
        server.wait_for_requests(400)


def port_page(port: int) -> Samples | None:
    elsewhere = Server(None, port, Path())  # type: ignore[arg-type]  # only asked for its page
    try:
        return elsewhere.page()
    except OSError:
        return None


def test_one_worker_also_listens_on_the_extra_port_and_another_takes_over(tmp_path: Path) -> None:
    port = free_port()
    with gunicorn("gunicorn-sync", tmp_path, workers=3, PROMETHEUS_PORT=str(port)) as server:
        server.work(60)
        server.wait_for_requests(60)
        wait_until(lambda: port_page(port) is not None, 20, "the extra port")
        page = port_page(port)
        assert page is not None
        assert total(page, "http_requests_total") == 60
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 3, 20, "new workers")
        server.work(60)
        wait_until(
            lambda: total(port_page(port) or {}, "http_requests_total") == 120, 20, "another to take over"
        )


def test_a_port_that_a_stranger_has_is_said_once_and_the_app_serves(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        port = stranger.getsockname()[1]
        with gunicorn("gunicorn-sync", tmp_path, workers=2, PROMETHEUS_PORT=str(port)) as server:
            server.work(20)
            wait_until(lambda: f"PROMETHEUS_PORT={port}" in server.log.read_text(), 20, "the message")
            server.wait_for_requests(20)


def test_with_no_endpoint_one_worker_says_that_nothing_is_pushed(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path) as server:
        server.work(100)
        wait_until(lambda: "nothing is pushed" in server.log.read_text(), 20, "the message")
        server.stop()
        assert server.log.read_text().count("nothing is pushed") == 1


def test_a_server_that_ended_leaves_nothing_for_long(tmp_path: Path) -> None:
    script = (
        "from dualmetrics import Telemetry; telemetry = Telemetry();"
        "telemetry.meter('a').create_counter('b').add(1);"
        "print(telemetry._store.membership().directory.path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert not Path(done.stdout.strip()).exists()
