"""ASGI apps for tests, and a client of the lifespan protocol."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse

from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.testing.asgi_client import Connection

LIFESPAN: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
STARTUP: Message = {"type": "lifespan.startup"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}
COMPLETE_LIFESPAN = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer HTTP requests and nothing else."""
    if scope["type"] != "http":
        raise ValueError("only http")
    await PlainTextResponse("hello")(scope, receive, send)


async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Raise at once, as an app that does not support lifespans."""
    raise ValueError("only http")


async def ignores_lifespans(scope: Scope, receive: Receive, send: Send) -> None:
    """Return at once, without an answer."""


def run_lifespan(app: ASGIApp, *messages: Message) -> list[str]:
    """Run the lifespan of ``app``. Return the types of the messages that the server gets."""
    connection = Connection({**LIFESPAN}, messages)
    asyncio.run(connection.run(app))
    return [message["type"] for message in connection.sent]
