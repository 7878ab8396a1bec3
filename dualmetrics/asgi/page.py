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
    """The page as an ASGI app, for an admin router or an internal port."""
    return MetricsApp(telemetry)


@dataclass(frozen=True)
class MetricsApp:
    """Answers every request with the page, or with 404 while ``prometheus`` is not among the exporters."""

    telemetry: Telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Rendering runs off the event loop."""
        if scope["type"] == "lifespan":
            return await Lifespan(self.telemetry, receive, send).run(no_lifespan, scope)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1000})
        await send_page(await answer_scrape(self.telemetry, scope), send)


async def answer_scrape(telemetry: Telemetry, scope: Scope) -> ScrapeResponse:
    """Answer a request for the page from the scope of its connection: status, headers and chunks of the body.

    For a route of a framework, whose handler must return a response of the framework's own. The answer is a
    404 while ``prometheus`` is not among the exporters. Rendering runs off the event loop; nothing is raised.
    """
    if not serves_page(telemetry):
        return PAGE_DISABLED
    return await run_in_thread(telemetry.page.respond, page_request(scope))


async def no_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that leaves the lifespan to be answered for."""


def page_request(scope: Scope) -> ScrapeRequest:
    """What the page needs to know of an HTTP connection's scope."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    client = scope.get("client")
    query = scope.get("query_string", b"").decode("latin-1")
    return ScrapeRequest(scope["method"], headers, query, str(client[0]) if client else None)


async def send_page(response: ScrapeResponse, send: Send) -> None:
    """Send chunk by chunk, so that a slow client holds up nothing but its own connection."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    for chunk in response.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
