"""The server's side of ASGI, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from dualmetrics.asgi import ASGIApp, Message, Scope

NOTHING_SENT = 0

BODY_END: Message = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT: Message = {"type": "http.disconnect"}


def http_scope(method: str, path: str, **others: Any) -> Scope:
    """The scope of a plain request. ``others`` replaces or adds keys."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 5000),
        "server": ("testserver", 80),
        "extensions": {"http.response.pathsend": {}, "http.response.trailers": {}},
        **others,
    }


class Connection:
    """One connection of a server. The app receives ``incoming``, then nothing until its response is complete.

    After that it receives ``http.disconnect``, as from a real server. ``sent`` holds the messages of the app;
    ``waits`` is set when the app waits for more than there is.
    """

    def __init__(self, scope: Scope, incoming: Iterable[Message] = ()) -> None:
        self.scope = scope
        self.sent: list[Message] = []
        self.waits = asyncio.Event()
        self._incoming = list(incoming)
        self._response_is_complete = asyncio.Event()

    async def receive(self) -> Message:
        """The next message for the app."""
        if self._incoming:
            return self._incoming.pop(0)
        self.waits.set()
        await self._response_is_complete.wait()
        return DISCONNECT

    async def send(self, message: Message) -> None:
        """Keep a message of the app."""
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._response_is_complete.set()

    async def run(self, app: ASGIApp) -> None:
        """Serve the connection. Raises what the app raises."""
        await app(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        """The status that the client received; 0 if none was sent."""
        statuses = (message["status"] for message in self.sent if message["type"] == "http.response.start")
        return next(statuses, NOTHING_SENT)

    @property
    def body(self) -> bytes:
        """The body that the client received."""
        return b"".join(message.get("body", b"") for message in self.sent)


def fetch(app: ASGIApp, method: str, path: str, **scope: Any) -> Connection:
    """Send one request to an ASGI app, in an event loop of its own. Raises what the app raises.

    Returns the connection, whose ``status`` and ``body`` are those of the response. ``scope`` replaces or
    adds keys of the scope.
    """
    return asyncio.run(fetch_async(app, method, path, **scope))


async def fetch_async(app: ASGIApp, method: str, path: str, **scope: Any) -> Connection:
    """The same as `fetch`, in the running event loop."""
    connection = Connection(http_scope(method, path, **scope), [BODY_END])
    await connection.run(app)
    return connection
