"""The lifespan starts and shuts down the export, and what the app raises in it reaches the server."""

from __future__ import annotations

import asyncio
import threading

import pytest
from starlette.applications import Starlette

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import Connection, fetch
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HandlerError
from tests.unit.asgi.apps import (
    COMPLETE_LIFESPAN,
    LIFESPAN,
    SHUTDOWN,
    STARTUP,
    hello,
    ignores_lifespans,
    run_lifespan,
    without_lifespan,
)


async def raises_after_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise ValueError("only http")


def background_threads() -> int:
    """The number of our background threads."""
    return sum(thread.name == "dualmetrics" for thread in threading.enumerate())


class ThreadCounter(Connection):
    """Counts the background threads each time that the server gets a message."""

    def __init__(self) -> None:
        super().__init__({**LIFESPAN}, [STARTUP, SHUTDOWN])
        self._before = background_threads()
        self.started: list[int] = []

    async def send(self, message: Message) -> None:
        self.started.append(background_threads() - self._before)
        await super().send(message)


@pytest.mark.parametrize(
    "app",
    [Starlette(), ignores_lifespans],
    ids=lambda app: getattr(app, "__name__", "Starlette"),
)
def test_lifespan_starts_and_shuts_down_the_export(telemetry: Telemetry, app: ASGIApp) -> None:
    connection = ThreadCounter()
    asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert [message["type"] for message in connection.sent] == COMPLETE_LIFESPAN
    assert connection.started == [1, 0]


@pytest.mark.parametrize("app", [without_lifespan, raises_after_startup])
def test_what_the_app_raises_reaches_the_server(telemetry: Telemetry, app: ASGIApp) -> None:
    connection = Connection({**LIFESPAN}, [STARTUP])
    with pytest.raises(ValueError, match="only http"):
        asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert connection.sent == []
    assert not telemetry.errors.error_count


def test_failed_startup_reaches_the_server(telemetry: Telemetry) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise HandlerError

    connection = Connection({**LIFESPAN}, [STARTUP])
    with pytest.raises(HandlerError):
        asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert [message["type"] for message in connection.sent] == ["lifespan.startup.failed"]
    assert not telemetry.errors.error_count


def test_requests_after_a_shutdown_are_recorded(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)
    fetch(app, "GET", "/")
    telemetry.shutdown()
    fetch(app, "GET", "/")
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 2}


def test_two_middlewares_answer_one_lifespan(telemetry: Telemetry) -> None:
    inner = MetricsMiddleware(Starlette(), telemetry=telemetry)
    outer = MetricsMiddleware(inner, telemetry=telemetry)
    assert run_lifespan(outer, STARTUP, SHUTDOWN) == COMPLETE_LIFESPAN


def test_disabled_telemetry_leaves_the_lifespan_to_the_app() -> None:
    telemetry = Telemetry(metrics_exporter="none")
    before = background_threads()
    with pytest.raises(ValueError, match="only http"):
        run_lifespan(MetricsMiddleware(without_lifespan, telemetry=telemetry), STARTUP, SHUTDOWN)
    assert background_threads() == before
