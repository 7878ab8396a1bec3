"""Metrics for any ASGI app: middleware that records and answers the metrics path, and the page as an app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from dualmetrics.asgi.lifespan import Lifespan
from dualmetrics.asgi.request import MARKER_KEY, AsgiRequest, RequestMarker, TracedAsgiRequest, markers
from dualmetrics.asgi.route_names import as_caching_namer, find_route_namer
from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.asgi.types import ASGIApp, CachingRouteNamer, Message, Receive, RouteNamer, Scope, Send
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.server_metrics import RequestRecorder
from dualmetrics.middleware import PAGE_DISABLED, serves_page, telemetry_for
from dualmetrics.scrape.endpoint import ScrapeRequest, ScrapeResponse

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry


class MetricsMiddleware:
    """Records the requests of ``app``, answers the metrics path, and exports for as long as the app lives.

    ``telemetry`` is the `Telemetry` to record with; without one ``settings`` go to `dualmetrics.configure`,
    which may raise SettingsError. ``route`` names the matched route of a request; without it the framework's
    own package is asked (see `naming`), and `set_route` can always say it. ``answer=False`` leaves the
    metrics path to the app; it is not recorded even so.
    """

    @overload  # what Starlette's add_middleware is typed for; older ones call with app=
    def __init__(
        self,
        app: ASGIApp,
        /,
        *,
        telemetry: Telemetry | None = None,
        route: RouteNamer | None = None,
        answer: bool = True,
        **settings: Any,
    ) -> None: ...

    @overload
    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry | None = None,
        route: RouteNamer | None = None,
        answer: bool = True,
        **settings: Any,
    ) -> None: ...

    def __init__(  # type: ignore[misc]  # a setting named app, which the first overload lets through
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry | None = None,
        route: RouteNamer | None = None,
        answer: bool = True,
        **settings: Any,
    ) -> None:
        self.app = app
        self._telemetry = telemetry = telemetry_for(telemetry, settings)
        self._metrics = telemetry.server_metrics
        self._by_method = self._metrics.by_method
        self._enabled = telemetry.enabled
        self._paths = PathFilter(telemetry.settings)
        self._excluded = self._paths.excluded
        self._page = metrics_app(telemetry) if answer and serves_page(telemetry) else None
        self._name = as_caching_namer(route) if route else None
        self._exchange: type[AsgiRequest] = AsgiRequest
        self._metrics.exemplars.on_active(self._trace)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            return await self._serve_other(scope, receive, send)
        path = path_without_root(scope) if scope.get("root_path") else scope["path"]
        if self._excluded(path) or not self._enabled or (MARKER_KEY in scope and self._counts(scope)):
            return await self._pass(path, scope, receive, send)
        requests = self._by_method.get(scope["method"]) or self._requests_of(scope)
        name = self._name or self._find_name(scope)
        exchange = self._exchange(self._telemetry, requests, name, scope, path, receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            # A server keeps the scope beside `send`, which the exchange has: a cycle, left to the collector.
            scope[MARKER_KEY] = exchange.outer
        if exchange.in_progress:
            exchange.returned()

    def _trace(self) -> None:
        self._exchange = TracedAsgiRequest

    def _counts(self, scope: Scope) -> bool:
        """Whether somebody further out counts this connection with the same Telemetry."""
        return any(mark.telemetry is self._telemetry for mark in markers(scope))

    def _requests_of(self, scope: Scope) -> RequestRecorder:
        version = scope.get("http_version")
        return self._metrics.requests(scope["method"], scope.get("scheme", "http"), version)

    def _find_name(self, scope: Scope) -> CachingRouteNamer:
        try:
            name = find_route_namer(scope, self.app)
        except Exception as error:
            self._telemetry.errors.error("finding what names the routes", error)
            name = no_route_name
        self._name = found = as_caching_namer(name)
        return found

    async def _pass(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._page if self._page and path == self._paths.page else self.app
        await app(scope, receive, send)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._enabled or self._counts(scope):
            return await self.app(scope, receive, send)
        RequestMarker(self._telemetry, scope)
        if scope["type"] == "lifespan":
            await Lifespan(self._telemetry, receive, send).run(self.app, scope)
        elif scope["type"] == "websocket" and not self._excluded(path_without_root(scope)):
            await watch_websocket(
                self.app, self._metrics.websockets(scope.get("scheme", "ws")), scope, receive, send
            )
        else:
            await self.app(scope, receive, send)


def set_route(scope: Scope, template: str) -> None:
    """Name the route that took this request, ``/users/{id}``: never the path itself, which is anything.

    For apps whose framework does not say it; it comes before what the framework says.
    """
    for mark in markers(scope):
        mark.route = template


def no_route_name(scope: Scope, path: str) -> None:
    """Where nothing can name routes."""


async def watch_websocket(
    app: ASGIApp, requests: RequestRecorder, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run ``app``; its websocket is active until one side closes it, or the app ends."""
    active = True

    def leave(kind: str) -> None:
        nonlocal active
        if active and kind in ("websocket.close", "websocket.disconnect"):
            active = False
            requests.cancel()

    async def hear() -> Message:
        message = await receive()
        leave(message["type"])
        return message

    async def tell(message: Message) -> None:
        await send(message)
        leave(message["type"])

    requests.start()
    try:
        await app(scope, hear, tell)
    finally:
        leave("websocket.close")


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
        if not serves_page(self.telemetry):
            return await send_page(PAGE_DISABLED, send)
        await send_page(await run_in_thread(self.telemetry.page.respond, page_request(scope)), send)


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


def path_without_root(scope: Scope) -> str:
    """The path without the root path of a proxy or mount, which newer servers leave in it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path
