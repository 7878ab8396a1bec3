"""The simplest server there can be, in the process of the app: it discards every answer."""

from __future__ import annotations

import asyncio
from typing import Any
from wsgiref.util import setup_testing_defaults

from benchmarks.apps import ROUTES, path
from benchmarks.question import Measure, Values
from benchmarks.timing import MICROSECONDS, cpu_seconds


def http_scope(path: str) -> dict[str, Any]:
    """The scope of a request as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
    }


class RequestCycle:
    """One request without a body.

    It holds the scope and gives the app its own methods, as real servers do. Middleware that stores ``send``
    in the scope therefore makes a reference cycle here too, which costs garbage collection.
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope

    async def receive(self) -> dict[str, Any]:
        """The whole request."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        """Check the status."""
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message

    async def run(self, app: Any) -> None:
        """Let the app answer."""
        await app(self.scope, self.receive, self.send)


def asgi_server(app: Any, routes: int = ROUTES, loop: asyncio.AbstractEventLoop | None = None) -> Measure:
    """Measures microseconds per request."""
    scope = http_scope(path(routes))
    event_loop = loop or asyncio.new_event_loop()

    async def serve(times: int) -> None:
        for _ in range(times):
            await RequestCycle(scope.copy()).run(app)

    def measure(times: int) -> Values:
        seconds = cpu_seconds(lambda: event_loop.run_until_complete(serve(times)))
        return {"": seconds / times * MICROSECONDS}

    return measure


def wsgi_server(app: Any, routes: int = ROUTES) -> Measure:
    """Measures microseconds per request; the body is read and closed."""
    environ: dict[str, Any] = {"PATH_INFO": path(routes), "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)

    def serve(times: int) -> None:
        for _ in range(times):
            body = app(environ.copy(), _start_response)
            for _part in body:
                pass
            if hasattr(body, "close"):
                body.close()

    return lambda times: {"": cpu_seconds(lambda: serve(times)) / times * MICROSECONDS}


def _start_response(status: str, headers: Any, error: Any = None) -> None:
    assert status == "200 OK", status
