"""A request that is cancelled at any of its awaits is counted once, and is active no more."""

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
"""What the app below awaits: a message and a pause, and for each thing that it sends two more."""


class Paused(Connection):
    """A server that makes each message wait, up to the n-th wait of all, where it stops for good."""

    def __init__(self, stop: int) -> None:
        super().__init__(http_scope("GET", "/"), [BODY_END])
        self.left = stop
        self.stopped = asyncio.Event()

    async def pause(self) -> None:
        """Let others run; the last time, until cancelled."""
        self.left -= 1
        if self.left == 0:
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
    made = Telemetry(metrics_exporter="prometheus", convention="both", directory=str(tmp_path))
    yield made
    made.shutdown()


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
    """Serve one request and cancel it at its n-th await."""
    connection = Paused(stop)
    app = MetricsMiddleware(answering(connection), telemetry=telemetry)
    task: asyncio.Future[None] = asyncio.ensure_future(connection.run(app))
    await asyncio.wait_for(connection.stopped.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("stop", range(1, AWAITS + 1))
def test_cancelled_at_any_await_it_is_counted_once_and_not_active(telemetry: Telemetry, stop: int) -> None:
    recorded = Recorded(telemetry)
    asyncio.run(cancel_at(stop, telemetry))
    assert list(recorded.counts().values()) == [1]
    assert {request.status for request in recorded.counts()} == {200 if stop > 3 else 499}
    assert recorded.active() == {}


def test_many_cancelled_at_once_are_each_counted_once(telemetry: Telemetry) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(cancel_at(1 + n % AWAITS, telemetry) for n in range(20 * AWAITS)))

    recorded = Recorded(telemetry)
    asyncio.run(all_at_once())
    assert sum(recorded.counts().values()) == 20 * AWAITS
    assert recorded.active() == {}
