"""The metrics page as an ASGI app."""

from __future__ import annotations

import contextlib
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dualmetrics.asgi.event_loops import running_loop
from dualmetrics.asgi.lifespan import Lifespan
from dualmetrics.asgi.pacing import paced_chunks
from dualmetrics.asgi.threads import start_in_thread
from dualmetrics.asgi.types import Receive, Scope, Send
from dualmetrics.middleware import PAGE_DISABLED, serves_page
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse
from dualmetrics.scrape.pending_scrape import PendingScrape

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry


def metrics_app(telemetry: Telemetry) -> MetricsApp:
    """Return the page as an ASGI app, for example for an admin router or an internal port."""
    return MetricsApp(telemetry)


@dataclass(frozen=True)
class MetricsApp:
    """Answers every request with the page, or with 404 if ``prometheus`` is not among the exporters."""

    telemetry: Telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            return await Lifespan(self.telemetry, receive, send).run(_app_without_lifespan, scope)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1000})
        await _send_response(await respond(self.telemetry, _scrape_request(scope), receive), send)


async def answer_scrape(telemetry: Telemetry, scope: Scope) -> ScrapeResponse:
    """Answer a scrape from the scope of its connection: status, headers and chunks of the body.

    For a route of a framework, whose handler must return a response of the framework's own. The answer is a
    404 if ``prometheus`` is not among the exporters. Waits without a thread while the page is rendered
    outside of the event loop. Never raises.
    """
    return await respond(telemetry, _scrape_request(scope))


async def respond(
    telemetry: Telemetry, request: ScrapeRequest, receive: Receive | None = None
) -> ScrapeResponse:
    """Answer a scrape as `answer_scrape` does. With ``receive``, a client that has left waits no longer."""
    if not serves_page(telemetry):
        return PAGE_DISABLED
    page, loop = telemetry.page, running_loop()
    alarm = loop.alarm()
    scrape = PendingScrape(request, start_in_thread, alarm.ring)

    async def leave_on_disconnect() -> None:
        if receive is not None and await _is_disconnected(receive) and page.leave(scrape):
            alarm.ring()

    try:
        page.admit(scrape)
        async with loop.in_background(leave_on_disconnect):
            await alarm.wait()
    finally:
        page.leave(scrape)  # if this task was cancelled
        response = page.answer(scrape)
    return response


async def _is_disconnected(receive: Receive) -> bool:
    """Wait until the client disconnects. Return False if that cannot be known.

    Only the first two messages are looked at. What follows the end of the request has to be the disconnect,
    but there are middlewares that repeat the request forever.
    """
    with contextlib.suppress(Exception):
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            message = await receive()
        return bool(message["type"] == "http.disconnect")
    return False


async def _app_without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Return at once, so that `Lifespan` completes the protocol."""


def _scrape_request(scope: Scope) -> ScrapeRequest:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    client = scope.get("client")
    query = scope.get("query_string", b"").decode("latin-1")
    return ScrapeRequest(scope["method"], headers, query, str(client[0]) if client else None)


async def _send_response(response: ScrapeResponse, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async with aclosing(paced_chunks(response.chunks)) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
