"""The metrics page as an ASGI app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dualmetrics.asgi.lifespan import Lifespan
from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.asgi.types import Receive, Scope, Send
from dualmetrics.middleware import PAGE_DISABLED, serves_page
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse

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
        await _send_response(await answer_scrape(self.telemetry, scope), send)


async def answer_scrape(telemetry: Telemetry, scope: Scope) -> ScrapeResponse:
    """Answer a scrape from the scope of its connection: status, headers and chunks of the body.

    For a route of a framework, whose handler must return a response of the framework's own. The answer is a
    404 if ``prometheus`` is not among the exporters. Rendering runs outside of the event loop. Never raises.
    """
    if not serves_page(telemetry):
        return PAGE_DISABLED
    return await run_in_thread(telemetry.page.respond, _scrape_request(scope))


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
    """Send chunk by chunk, so that a slow client holds up only its own connection."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    for chunk in response.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
