"""Blocking work outside of the event loop, under asyncio and trio."""

from __future__ import annotations

import asyncio

import pytest
import trio

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import Connection, fetch_async
from dualmetrics.testing.site import HandlerError
from tests.unit.asgi.apps import COMPLETE_LIFESPAN, LIFESPAN, SHUTDOWN, STARTUP, hello, ignores_lifespans


def test_exception_in_a_thread_is_raised() -> None:
    def fail() -> None:
        raise HandlerError

    with pytest.raises(HandlerError):
        asyncio.run(run_in_thread(fail))
    with pytest.raises(HandlerError):
        trio.run(run_in_thread, fail)


def test_middleware_works_under_trio(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)

    async def serve_and_scrape() -> tuple[bytes, bytes]:
        served = await fetch_async(app, "GET", "/")
        return served.body, (await fetch_async(app, "GET", "/metrics")).body

    body, page = trio.run(serve_and_scrape)
    assert body == b"hello"
    assert b"http_requests" in page
    connection = Connection({**LIFESPAN}, [STARTUP, SHUTDOWN])
    trio.run(connection.run, MetricsMiddleware(ignores_lifespans, telemetry=telemetry))
    assert [message["type"] for message in connection.sent] == COMPLETE_LIFESPAN
