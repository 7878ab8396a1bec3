"""The ASGI middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from dualmetrics.asgi.counted_websocket import CountedWebsocket
from dualmetrics.asgi.detailed_request import DETAILED_ASGI_TYPES
from dualmetrics.asgi.lifespan import Lifespan
from dualmetrics.asgi.marker import path_without_root
from dualmetrics.asgi.page import metrics_app
from dualmetrics.asgi.request import AsgiRequest, TracedAsgiRequest
from dualmetrics.asgi.route_names import as_caching_namer, find_route_namer, name_no_route
from dualmetrics.asgi.types import ASGIApp, CachingRouteNamer, Receive, RouteNamer, Scope, Send
from dualmetrics.asgi.websocket import watch_websocket
from dualmetrics.http.marker import MARKER_KEY, InnerNamer, RequestMarker, markers
from dualmetrics.http.nesting import PROTOCOLS, adopt, outside
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.middleware import BaseMiddleware, MiddlewareOptions, serves_page, telemetry_for

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

PROTOCOLS.use("asgi")  # here, since middleware may be made by the first request that passes it


class MetricsMiddleware(BaseMiddleware[ASGIApp, AsgiRequest]):
    """Records the requests of ``app``, answers the metrics path, and exports for the lifetime of the app.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`, which raises SettingsError for a bad one. ``route_namer`` returns the
    route of a request. Without it, the package for the framework of the app is asked (see `route_names`).
    `set_route` takes precedence over both. ``serve_metrics=False`` leaves the metrics path to the app; its
    requests are still not recorded.
    """

    @overload  # the call for which Starlette's add_middleware is typed; older versions pass app= by keyword
    def __init__(
        self,
        app: ASGIApp,
        /,
        *,
        telemetry: Telemetry | None = None,
        route_namer: RouteNamer | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None: ...

    @overload
    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry | None = None,
        route_namer: RouteNamer | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None: ...

    def __init__(  # type: ignore[misc]  # the first overload also accepts a setting that is named app
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry | None = None,
        route_namer: RouteNamer | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        options = MiddlewareOptions.of(settings, serve_metrics, route_namer)
        telemetry = telemetry_for(telemetry, settings)
        page = metrics_app(telemetry) if options.serve_metrics and serves_page(telemetry) else None
        paths = PathFilter(telemetry.settings)
        super().__init__(app, telemetry, paths, page, (AsgiRequest, TracedAsgiRequest), DETAILED_ASGI_TYPES)
        self._namer = as_caching_namer(options.route_namer) if options.route_namer else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            return await self._serve_other(scope, receive, send)
        root = scope.get("root_path", "")
        path = path_without_root(scope) if root else scope["path"]
        if self._excluded(path) or not self._enabled:
            return await self._pass_on(path, scope, receive, send)
        app = self.app
        if PROTOCOLS.may_nest:
            adopt(scope, scope["method"], root + path)
            app = self._call_findable
        if MARKER_KEY in scope and self._is_recorded_outside(scope, root, path):
            return await self.app(scope, receive, send)
        recorder = self._by_method.get(scope["method"]) or self._find_recorder(scope)
        namer = self._namer or self._find_namer(scope)
        request = self._request_type(self._telemetry, recorder, namer, scope, root, path, receive, send)
        try:
            await app(scope, request.receive, request.send)
        except BaseException as error:
            request.failed(error)
            raise
        finally:
            # The request refers to the scope and to `send`, and servers keep these two together. Without
            # these lines they would be a cycle that only the garbage collector can free.
            scope[MARKER_KEY] = request.outer
            request.seen, request.inner = scope, None
        if request.in_progress:
            request.returned()

    async def _call_findable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app so that WSGI apps inside find this request."""
        request: AsgiRequest = scope[MARKER_KEY]
        with outside(request, scope["method"], request.root + request.path):
            await self.app(scope, receive, send)

    def _is_recorded_outside(self, scope: Scope, root: str, path: str) -> bool:
        """Whether middleware outside records this request. It learns the route of the app inside."""
        is_recorded = False
        for marker in markers(scope):
            has_same_telemetry = marker.telemetry is self._telemetry
            is_recorded = is_recorded or has_same_telemetry
            if marker.is_recorded and (has_same_telemetry or marker.protocol == "wsgi"):
                self._name_inside(marker, scope, root, path)
        return is_recorded

    def _name_inside(self, recorded: RequestMarker, scope: Scope, root: str, path: str) -> None:
        namer = self._namer or self._find_namer(scope)

        def name() -> str | None:
            seen = recorded.seen if recorded.protocol == "asgi" else scope
            return namer(seen, path) or namer(scope, path)

        # A root path that is no part of the path was added by no mount: the app tells the prefix of a proxy.
        mounted_at = recorded.root if path is scope["path"] else root
        recorded.inner = InnerNamer(name, mounted_at, recorded.inner)

    def _find_recorder(self, scope: Scope) -> RequestRecorder:
        version = scope.get("http_version")
        return self._metrics.recorder_for(scope["method"], scope.get("scheme", "http"), version)

    def _find_namer(self, scope: Scope) -> CachingRouteNamer:
        try:
            namer = find_route_namer(scope, self.app)
        except Exception as error:
            self._telemetry.errors.error("finding the package that names the routes", error)
            namer = name_no_route
        self._namer = caching_namer = as_caching_namer(namer)
        return caching_namer

    async def _pass_on(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        if PROTOCOLS.may_nest:
            adopt(scope, scope["method"], root + path)
        app = self._page_for(scope, path) or self.app
        self._exclude_outside(scope, path)
        marker = RequestMarker(self._telemetry, scope, root, path)  # so that no middleware inside records it
        marker.seen = None
        with outside(marker, scope["method"], root + path):
            await app(scope, receive, send)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self._metrics.records_websockets and self._enabled:
            return await self._serve_websocket(scope, receive, send)
        if not self._enabled or self._marker_of(scope) is not None:
            return await self.app(scope, receive, send)
        RequestMarker(self._telemetry, scope)
        if scope["type"] == "lifespan":
            await Lifespan(self._telemetry, receive, send).run(self.app, scope)
        elif scope["type"] == "websocket" and not self._excluded(path_without_root(scope)):
            recorder = self._metrics.websocket_recorder(scope.get("scheme", "ws"))
            await watch_websocket(self.app, recorder, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a websocket that is counted and timed."""
        root, path = scope.get("root_path", ""), path_without_root(scope)
        if MARKER_KEY in scope and self._is_recorded_outside(scope, root, path):
            return await self.app(scope, receive, send)
        if self._excluded(path):
            RequestMarker(self._telemetry, scope)  # so that no middleware inside records it
            return await self.app(scope, receive, send)
        namer = self._namer or self._find_namer(scope)
        websocket = CountedWebsocket(self._telemetry, namer, scope, root, path)
        try:
            await websocket.serve(self.app, receive, send)
        finally:
            scope[MARKER_KEY] = websocket.outer
