"""The least of a server, in the process of the app: what it is given and answers goes nowhere."""

from __future__ import annotations

import asyncio
from time import process_time
from typing import Any
from wsgiref.util import setup_testing_defaults

from benchmarks.apps import ROUTES, path
from benchmarks.question import Measure, Values
from benchmarks.timing import MICROSECONDS


def http_scope(asked: str) -> dict[str, Any]:
    """What uvicorn says of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": asked,
        "raw_path": asked.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
    }


class Cycle:
    """A request without a body.

    Servers keep the scope where the app's `send` comes from: middleware that puts into the scope what knows
    `send` makes work for the garbage collector.
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope

    async def receive(self) -> dict[str, Any]:
        """All of the request."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        """Take what the app says."""
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message

    async def run(self, app: Any) -> None:
        """Have the app answer."""
        await app(self.scope, self.receive, self.send)


def asgi_server(app: Any, routes: int = ROUTES, loop: asyncio.AbstractEventLoop | None = None) -> Measure:
    """Microseconds a request."""
    scope = http_scope(path(routes))
    runs = loop or asyncio.new_event_loop()

    async def serve(times: int) -> float:
        started = process_time()
        for _ in range(times):
            await Cycle(scope.copy()).run(app)
        return process_time() - started

    def measure(times: int) -> Values:
        return {"": runs.run_until_complete(serve(times)) / times * MICROSECONDS}

    return measure


def wsgi_server(app: Any, routes: int = ROUTES) -> Measure:
    """Microseconds a request; its body is read and closed."""
    environ: dict[str, Any] = {"PATH_INFO": path(routes), "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)

    def start_response(status: str, headers: Any, error: Any = None) -> None:
        assert status == "200 OK", status

    def measure(times: int) -> Values:
        started = process_time()
        for _ in range(times):
            body = app(environ.copy(), start_response)
            for _part in body:
                pass
            if hasattr(body, "close"):
                body.close()
        return {"": (process_time() - started) / times * MICROSECONDS}

    return measure
