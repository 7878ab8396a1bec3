"""A request that is cancelled at any of its awaits is counted once, and is no longer active."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.testing.asgi_client import BODY_END, Connection, http_scope
from dualmetrics.testing.recorded import Recorded

PARTS = 4
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
AWAITS = 2 + 2 * (1 + PARTS)
"""How often the app below awaits: for a message, for a pause, and twice for each message that it sends."""


class Paused(Connection):
    """A connection that pauses at each message. The ``stop``-th pause of all never ends."""

    def __init__(self, stop: int) -> None:
        super().__init__(http_scope("GET", "/"), [BODY_END])
        self.pauses_left = stop
        self.stopped = asyncio.Event()

    async def pause(self) -> None:
        """Let other tasks run; at the last pause, wait until cancelled."""
        self.pauses_left -= 1
        if self.pauses_left == 0:
            self.stopped.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    async def receive(self) -> Message:
        await self.pause()
        return await super().receive()

    async def send(self, message: Message) -> None:
        await self.pause()
        await super().send(message)


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="both", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


def answering(connection: Paused) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await connection.pause()
        await send(START)
        await connection.pause()
        for left in reversed(range(PARTS)):
            await send({"type": "http.response.body", "body": b"part", "more_body": left > 0})
            await connection.pause()

    return app


async def cancel_at(stop: int, telemetry: Telemetry) -> None:
    """Serve one request, and cancel it at its ``stop``-th await."""
    connection = Paused(stop)
    app = MetricsMiddleware(answering(connection), telemetry=telemetry)
    task: asyncio.Future[None] = asyncio.ensure_future(connection.run(app))
    await asyncio.wait_for(connection.stopped.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("stop", range(1, AWAITS + 1))
def test_a_request_that_is_cancelled_at_any_await_is_counted_once(telemetry: Telemetry, stop: int) -> None:
    recorded = Recorded(telemetry)
    asyncio.run(cancel_at(stop, telemetry))
    assert list(recorded.counts().values()) == [1]
    assert {request.status for request in recorded.counts()} == {200 if stop > 3 else 499}
    assert recorded.active() == {}


def test_requests_that_are_cancelled_at_the_same_time_are_each_counted_once(telemetry: Telemetry) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(cancel_at(1 + n % AWAITS, telemetry) for n in range(20 * AWAITS)))

    recorded = Recorded(telemetry)
    asyncio.run(all_at_once())
    assert sum(recorded.counts().values()) == 20 * AWAITS
    assert recorded.active() == {}
