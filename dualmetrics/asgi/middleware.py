"""Metrics for any ASGI app: middleware that records and answers the metrics path, and the page as an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from dualmetrics.asgi.lifespan import Lifespan
from dualmetrics.asgi.page import metrics_app
from dualmetrics.asgi.request import (
    MARKER_KEY,
    AsgiRequest,
    RequestMarker,
    TracedAsgiRequest,
    markers,
    path_without_root,
)
from dualmetrics.asgi.route_names import as_caching_namer, find_route_namer
from dualmetrics.asgi.types import ASGIApp, CachingRouteNamer, Receive, RouteNamer, Scope, Send
from dualmetrics.asgi.websocket import watch_websocket
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.server_metrics import RequestRecorder
from dualmetrics.middleware import serves_page, telemetry_for

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


def no_route_name(scope: Scope, path: str) -> None:
    """Where nothing can name routes."""
