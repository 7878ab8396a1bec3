"""One contestant's process: reads how many requests to serve, serves them, prints how long one took.

``python -m benchmarks.driver asgi floor``; a line with a number in, a line with microseconds a request out.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from time import process_time
from typing import Any
from wsgiref.util import setup_testing_defaults

from benchmarks.apps import PATH
from benchmarks.contestants import find

Serve = Callable[[int], float]
"""Serves so many requests and gives the seconds of the processor that they took together, in all threads:
nothing here waits, and on a busy machine the clock on the wall measures the others."""


def asgi_server(app: Any, loop: asyncio.AbstractEventLoop) -> Serve:
    """The least of a server: a scope a request, and messages that go nowhere."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200

    async def serve(times: int) -> float:
        started = process_time()
        for _ in range(times):
            await app(scope.copy(), receive, send)
        return process_time() - started

    return lambda times: loop.run_until_complete(serve(times))


def wsgi_server(app: Any) -> Serve:
    """The least of a server: an environ a request, and a body that is read and closed."""
    environ: dict[str, Any] = {"PATH_INFO": PATH, "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)

    def start_response(status: str, headers: Any, error: Any = None) -> None:
        assert status == "200 OK"

    def serve(times: int) -> float:
        started = process_time()
        for _ in range(times):
            body = app(environ.copy(), start_response)
            for _part in body:
                pass
            if hasattr(body, "close"):
                body.close()
        return process_time() - started

    return serve


def main() -> None:
    """Serve batch after batch until the input ends."""
    protocol, name = sys.argv[1:]
    app = find(name, protocol).make()
    serve = asgi_server(app, asyncio.new_event_loop()) if protocol == "asgi" else wsgi_server(app)
    for line in sys.stdin:
        times = int(line)
        print(serve(times) / times * 1e6, flush=True)


if __name__ == "__main__":
    main()
