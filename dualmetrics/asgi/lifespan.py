"""Runs the lifespan of an ASGI app, and starts and shuts down the export with it.

Servers such as uvicorn run no ``atexit`` functions after SIGTERM, so the last values are exported here. What
the app raises reaches the server: only the server knows whether it is a failure or an app without lifespans.
An app that returns before it answers has no lifespan either. Then the protocol is completed in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.runtime.errors import ErrorReporter


class Startable(Protocol):
    """The part of a `Telemetry` that this module uses. Both methods may block."""

    errors: ErrorReporter

    def start(self) -> None: ...

    def shutdown(self) -> object: ...


class Lifespan:
    """One run of the lifespan protocol, between the server and the app."""

    def __init__(self, telemetry: Startable, receive: Receive, send: Send) -> None:
        self._telemetry = telemetry
        self._receive = receive
        self._send = send
        self._startup_received = False
        self._app_answered = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the lifespan of ``app``, or complete it in place of an app that returns without an answer."""
        await app(scope, self.receive, self.send)
        if not self._app_answered:
            await self._complete()

    async def receive(self) -> Message:
        """Receive a message for the app."""
        message = await self._receive()
        self._startup_received = True
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the app. The export has started or ended before the server gets the message."""
        self._app_answered = True
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            await self._run_guarded("starting the export", self._telemetry.start)
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            await self._run_guarded("the last export", self._telemetry.shutdown)
        await self._send(message)

    async def _complete(self) -> None:
        if not self._startup_received:
            await self._receive()
        await self.send({"type": "lifespan.startup.complete"})
        await self._receive()
        await self.send({"type": "lifespan.shutdown.complete"})

    async def _run_guarded(self, where: str, step: Callable[[], object]) -> None:
        try:
            await run_in_thread(step)
        except Exception as error:
            self._telemetry.errors.error(where, error)
