"""The ASGI lifespan around an app: export begins with it and is finished before it ends.

Servers such as uvicorn run no ``atexit`` after SIGTERM, so this is where the last counts leave. An app that
knows nothing of lifespans (it raises or returns before it has answered) is answered for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.runtime.errors import ErrorReporter


class Startable(Protocol):
    """What of a `Telemetry` is needed here. Both methods may block."""

    errors: ErrorReporter

    def start(self) -> None: ...

    def shutdown(self) -> object: ...


class Lifespan:
    """One run of the lifespan protocol, between the server and the app."""

    def __init__(self, telemetry: Startable, receive: Receive, send: Send) -> None:
        self._telemetry = telemetry
        self._receive = receive
        self._send = send
        self._heard = False
        self._answered = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Let ``app`` live it, or live it for an app that does not."""
        try:
            await app(scope, self.receive, self.send)
        except Exception as error:
            if self._answered:
                raise
            message = "dualmetrics: the app knows no lifespan (%r); it is answered for"
            self._telemetry.errors.log_once("lifespan", message, error, level=logging.INFO)
        if not self._answered:
            await self._live()

    async def receive(self) -> Message:
        """What the server says."""
        message = await self._receive()
        self._heard = True
        return message

    async def send(self, message: Message) -> None:
        """What the app answers."""
        self._answered = True
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            await self._guarded("starting the export", self._telemetry.start)
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            await self._guarded("the last export", self._telemetry.shutdown)
        await self._send(message)

    async def _live(self) -> None:
        if not self._heard:
            await self._receive()
        await self.send({"type": "lifespan.startup.complete"})
        await self._receive()
        await self.send({"type": "lifespan.shutdown.complete"})

    async def _guarded(self, where: str, step: Callable[[], object]) -> None:
        try:
            await run_in_thread(step)
        except Exception as error:
            self._telemetry.errors.error(where, error)
