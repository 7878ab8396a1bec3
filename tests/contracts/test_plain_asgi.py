"""The contract on plain ASGI: an app that routes by hand and names its routes itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dualmetrics import Telemetry
from dualmetrics.asgi import ASGIApp, MetricsMiddleware, Receive, Scope, Send, set_route
from dualmetrics.testing import Actions, AsgiContract, HandlerError


class TestPlainAsgi(AsgiContract):
    def make_app(self, telemetry: Telemetry, actions: Actions) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                raise RuntimeError("no lifespan, no websockets")
            if scope["method"] != "GET":
                return await respond(send, 405)
            if not await serve_template(scope, send, actions):
                await serve_path(scope, send, actions)

        return MetricsMiddleware(app, telemetry=telemetry)


async def serve_template(scope: Scope, send: Send, actions: Actions) -> bool:
    """Serve a route with a parameter. False if the path has none."""
    head, _, tail = scope["path"].removeprefix(scope["root_path"]).rpartition("/")
    if head in ("/users", "/api/v1/items"):
        set_route(scope, head + "/{id}")
        actions.note_active()
        await respond(send, 404 if tail == "missing" else 200)
    elif head == "/status":
        set_route(scope, "/status/{code}")
        await respond(send, int(tail))
    else:
        return False
    return True


async def serve_path(scope: Scope, send: Send, actions: Actions) -> None:
    """Serve a route without parameters, or answer 404."""
    path = scope["path"]
    if path not in ("/boom", "/stream", "/broken", "/later", "/folder/", "/health"):
        return await respond(send, 404)
    set_route(scope, path)
    if path == "/boom":
        raise HandlerError
    if path == "/stream":
        return await stream(send, actions.async_parts())
    if path == "/broken":
        return await stream(send, actions.async_broken_parts())
    await respond(send, 200)
    if path == "/later":
        actions.work()


async def respond(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"body"})


async def stream(send: Send, parts: AsyncIterator[bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
