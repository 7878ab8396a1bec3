"""The metrics page as an ASGI app, and as the answer of the middleware."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.asgi import MetricsMiddleware, metrics_app
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import Connection, fetch, fetch_async, http_scope
from tests.unit.asgi.apps import COMPLETE_LIFESPAN, SHUTDOWN, STARTUP, hello, run_lifespan


def test_page_is_an_app(telemetry: Telemetry) -> None:
    fetch(MetricsMiddleware(hello, telemetry=telemetry), "GET", "/")
    page = metrics_app(telemetry)
    assert b"http_requests" in fetch(page, "GET", "/whatever").body
    assert run_lifespan(page, STARTUP, SHUTDOWN) == COMPLETE_LIFESPAN


def test_page_closes_websockets(telemetry: Telemetry) -> None:
    websocket = Connection({**http_scope("GET", "/"), "type": "websocket"})
    asyncio.run(websocket.run(metrics_app(telemetry)))
    assert [message["type"] for message in websocket.sent] == ["websocket.close"]


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_page_is_not_found_without_the_exporter(settings: dict[str, Any]) -> None:
    assert fetch(metrics_app(Telemetry(**settings)), "GET", "/").status == 404


def test_page_uses_headers_query_and_client(tmp_path: Path) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        metrics_token="secret",
        metrics_allow="10.0.0.0/8",
        directory=str(tmp_path),
    )
    page = metrics_app(telemetry)
    token = [(b"Authorization", b"Bearer secret")]
    assert fetch(page, "GET", "/", client=("10.0.0.1", 1)).status == 401
    assert fetch(page, "GET", "/", client=("192.0.2.1", 1), headers=token).status == 403
    assert fetch(page, "GET", "/", client=None, headers=token).status == 403
    fetch(MetricsMiddleware(hello, telemetry=telemetry), "GET", "/")
    query = {"client": ("10.0.0.1", 1), "headers": token, "query_string": b"name[]=http_connections_active"}
    body = fetch(page, "GET", "/", **query).body
    assert b"http_connections_active" in body
    assert b"http_requests" not in body
    telemetry.shutdown()


def test_scrape_does_not_block_the_event_loop(telemetry: Telemetry) -> None:
    released = threading.Event()
    telemetry.page.before_page = lambda: assert_set(released)
    app = MetricsMiddleware(hello, telemetry=telemetry)

    async def scrape_and_serve() -> tuple[int, bytes]:
        scrape = asyncio.create_task(fetch_async(app, "GET", "/metrics"))
        await asyncio.sleep(0)
        served = await fetch_async(app, "GET", "/")
        released.set()
        return (await scrape).status, served.body

    assert asyncio.run(scrape_and_serve()) == (200, b"hello")


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)


def test_page_is_sent_in_chunks(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)
    fetch(app, "GET", "/")
    *chunks, end = fetch(app, "GET", "/metrics").sent[1:]
    assert all(chunk["more_body"] for chunk in chunks)
    assert end == {"type": "http.response.body", "body": b""}
