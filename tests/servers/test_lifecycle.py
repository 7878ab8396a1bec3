"""Around the totals: unresponsive Collectors, recycled workers, the extra port, the end of a server."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager as Context
from pathlib import Path

import pytest

from tests.chaos import bad_collectors
from tests.ports import free_port
from tests.programs import run_python
from tests.servers.server import Samples, Server, gunicorn, total, uvicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

TIMEOUT = 1.0


def start(kind: str, tmp_path: Path, **env: str) -> Context[Server]:
    if kind == "uvicorn":
        return uvicorn(tmp_path, workers=1, **env)
    return gunicorn(kind, tmp_path, workers=2, **env)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("kind", ["gunicorn-sync", "gunicorn-uvicorn", "uvicorn"])
def test_a_collector_that_never_answers_delays_neither_requests_nor_the_end(
    kind: str, protocol: str, tmp_path: Path
) -> None:
    with bad_collectors.tcp(bad_collectors.never_answer) as endpoint:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "DUALMETRICS_SHUTDOWN_TIMEOUT": str(TIMEOUT),
        }
        with start(kind, tmp_path, **env) as server:
            server.work(300)
            server.wait_for_requests(300)
            assert server.stop() < TIMEOUT + 1 + seconds_to_stop_without_push(kind, tmp_path)


def seconds_to_stop_without_push(kind: str, tmp_path: Path) -> float:
    with start(kind, tmp_path, OTEL_METRICS_EXPORTER="prometheus") as server:
        return server.stop()


def test_what_a_preloading_master_records_at_import_counts_once(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path, "--preload", RECORD_AT_IMPORT="1") as server:
        server.work(40)
        page = server.wait_for_requests(40)
        assert total(page, "jobs_total", where="import") == 1
        assert total(page, "jobs_total", where="request") == 40


def test_recycled_workers_lose_nothing(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path, "--max-requests", "20", workers=2) as server:
        assert len(server.work(400)) > 5, "too few workers were recycled for a meaningful test"
        server.wait_for_requests(400)


def extra_page(port: int) -> Samples | None:
    """Scrape the extra port. None if nobody listens there."""
    listener = Server(None, port, Path())  # type: ignore[arg-type]  # only its page is used
    try:
        return listener.page()
    except OSError:
        return None


def test_one_worker_listens_on_the_extra_port_and_another_takes_over(tmp_path: Path) -> None:
    port = free_port()
    with gunicorn("gunicorn-sync", tmp_path, workers=3, PROMETHEUS_PORT=str(port)) as server:
        server.work(60)
        server.wait_for_requests(60)
        wait_until(lambda: extra_page(port) is not None, 20, "the extra port")
        page = extra_page(port)
        assert page is not None
        assert total(page, "http_requests_total") == 60
        for pid in server.workers():
            server.kill_worker(pid)
        server.work(60)
        wait_until(
            lambda: total(extra_page(port) or {}, "http_requests_total") == 120,
            20,
            "another worker to listen",
        )


def test_an_extra_port_in_use_is_logged_and_the_app_serves(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other_listener:
        port = other_listener.getsockname()[1]
        with gunicorn("gunicorn-sync", tmp_path, workers=2, PROMETHEUS_PORT=str(port)) as server:
            server.work(20)
            wait_until(lambda: f"PROMETHEUS_PORT={port}" in server.log.read_text(), 20, "the message")
            server.wait_for_requests(20)


def test_without_an_endpoint_one_worker_logs_that_nothing_is_pushed(tmp_path: Path) -> None:
    with gunicorn("gunicorn-sync", tmp_path) as server:
        server.work(100)
        wait_until(lambda: "nothing is pushed" in server.log.read_text(), 20, "the message")
        server.stop()
        assert server.log.read_text().count("nothing is pushed") == 1


SHOW_GROUP_DIRECTORY = """
from pathlib import Path
from tempfile import gettempdir
from dualmetrics import Telemetry
from dualmetrics.workers.discovery import find_root
telemetry = Telemetry()
telemetry.meter("app").create_counter("jobs").add(1)
for base in ("/dev/shm", gettempdir()):
    for path in Path(base).glob(f"dualmetrics-*/{find_root().name}"):
        print(path)
"""


def test_the_directory_of_a_group_is_removed_at_its_end() -> None:
    paths = run_python(SHOW_GROUP_DIRECTORY).stdout.splitlines()
    assert len(paths) == 1
    assert not Path(paths[0]).exists()
