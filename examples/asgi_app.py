"""An ASGI app without a framework. Run it with ``uvicorn --workers 2 --app-dir examples asgi_app:app``.

Needs dualmetrics and uvicorn.
"""

from __future__ import annotations

from typing import Any

from dualmetrics.asgi import MetricsMiddleware, set_route


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Greet the user whose name is in the path. Any other path is not found."""
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    if not scope["path"].startswith("/hello/"):
        return await answer(send, 404, b"not found")
    set_route(scope, "/hello/{name}")  # the route template, never the path itself
    await answer(send, 200, b"hello " + scope["path"][7:].encode())


async def answer(send: Any, status: int, body: bytes) -> None:
    """Send a whole response."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = MetricsMiddleware(hello)
