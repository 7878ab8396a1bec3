"""The main promise: any worker's page shows the exact total of all workers, and so does the push."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import GUNICORN, Server, gunicorn, total, uvicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

StartServer = Callable[..., contextlib.AbstractContextManager[Server]]
REQUESTS = 2000


def starters() -> dict[str, StartServer]:
    """Return how to start uvicorn, and each kind of gunicorn with and without preloading."""
    found: dict[str, StartServer] = {"uvicorn": uvicorn}
    for kind in GUNICORN:
        found[kind] = lambda tmp_path, kind=kind, **env: gunicorn(kind, tmp_path, **env)
        found[f"{kind}-preload"] = lambda tmp_path, kind=kind, **env: gunicorn(
            kind, tmp_path, "--preload", **env
        )
    return found


@pytest.fixture(params=starters())
def start(request: pytest.FixtureRequest) -> StartServer:
    return starters()[request.param]


def shown_requests(server: Server) -> float:
    """Scrape the total of requests from one worker; the histogram on the same page must agree."""
    page = server.page()
    requests = total(page, "http_requests_total")
    assert total(page, "http_request_duration_milliseconds_count") == requests
    return requests


def test_every_page_and_the_push_show_the_exact_total_after_a_worker_was_killed(
    start: StartServer, tmp_path: Path
) -> None:
    with Receiver() as receiver, start(tmp_path, **push_settings(receiver)) as server:
        answered = server.work(REQUESTS // 2)
        server.wait_for_requests(REQUESTS // 2)
        server.kill_worker(max(answered, key=lambda pid: answered[pid]))
        last = 0.0
        for _ in range(10):
            server.work(REQUESTS // 20)
            now = shown_requests(server)
            assert now >= last, "a counter went down"
            last = now
        page = server.wait_for_requests(REQUESTS)
        assert {shown_requests(server) for _ in range(12)} == {REQUESTS}
        assert total(page, "jobs_total", where="request") == REQUESTS
        assert total(page, "http_connections_active") == 0
        assert total(page, "dualmetrics_internal_errors_total") == 0
        wait_until(lambda: pushed_total(receiver, "http.requests") == REQUESTS, 20, "the push of the total")
        assert pushed_total(receiver, "jobs") == REQUESTS


def test_the_last_counts_are_pushed_after_sigterm(start: StartServer, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        start(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.grpc_endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"
        ) as server,
    ):
        sent = server.work_until_all_answer(100).total()
        server.stop()
        wait_until(lambda: pushed_total(receiver, "http.requests") == sent, 5, "the last push")
