"""The promise: any worker shows the exact total, and what is pushed is the same."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.server import GUNICORN, Server, gunicorn, total, uvicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

Start = Callable[..., contextlib.AbstractContextManager[Server]]
REQUESTS = 2000


def starters() -> dict[str, Start]:
    found: dict[str, Start] = {"uvicorn": uvicorn}
    for kind in GUNICORN:
        found[kind] = lambda tmp_path, kind=kind, **env: gunicorn(kind, tmp_path, **env)
        found[f"{kind}-preload"] = lambda tmp_path, kind=kind, **env: gunicorn(
            kind, tmp_path, "--preload", **env
        )
    return found


@pytest.fixture(params=starters())
def start(request: pytest.FixtureRequest) -> Start:
    return starters()[request.param]


def counted(server: Server) -> float:
    """The requests that one worker's page shows; checks what must agree on any page."""
    page = server.page()
    requests = total(page, "http_requests_total")
    assert total(page, "http_request_duration_milliseconds_count") == requests
    return requests


def pushed(receiver: Receiver, name: str) -> float:
    """The last cumulative total that was received, over all attributes."""
    return sum(received.value for (_, metric, _, _), received in receiver.series().items() if metric == name)


def test_every_page_and_the_push_have_the_exact_total_though_a_worker_is_killed(
    start: Start, tmp_path: Path
) -> None:
    with (
        Receiver() as receiver,
        start(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint, OTEL_METRIC_EXPORT_INTERVAL="300"
        ) as server,
    ):
        answered = server.work(REQUESTS // 2)
        server.wait_for_requests(REQUESTS // 2)
        victim = max(answered, key=lambda pid: answered[pid])
        before = server.workers()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.workers() - before) == 1, 20, "a new worker")
        last = 0.0
        for _ in range(10):
            server.work(REQUESTS // 20)
            now = counted(server)
            assert now >= last, "a counter went down"
            last = now
        page = server.wait_for_requests(REQUESTS)
        assert {counted(server) for _ in range(12)} == {REQUESTS}
        assert total(page, "jobs_total", where="request") == REQUESTS
        assert total(page, "http_connections_active") == 0
        assert total(page, "dualmetrics_internal_errors_total") == 0
        wait_until(lambda: pushed(receiver, "http.requests") == REQUESTS, 20, "the push to show the total")
        assert pushed(receiver, "jobs") == REQUESTS


def test_what_was_counted_last_is_delivered_at_sigterm(start: Start, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        start(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.grpc_endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"
        ) as server,
    ):
        server.work(100)
        server.stop()
        wait_until(lambda: pushed(receiver, "http.requests") == 100, 5, "the last push")
