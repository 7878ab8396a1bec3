"""The WSGI middleware."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from dualmetrics.http.marker import MARKER_KEY, RequestMarker
from dualmetrics.http.nesting import PROTOCOLS, outside
from dualmetrics.http.path_filter import PathFilter, decoded
from dualmetrics.http.request_attributes import HTTP_VERSIONS
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.middleware import BaseMiddleware, MiddlewareOptions, serves_page, telemetry_for
from dualmetrics.wsgi.detailed_request import DETAILED_WSGI_TYPES
from dualmetrics.wsgi.environ import Environ, RouteNamer
from dualmetrics.wsgi.file_wrapper import watch_file_wrapper
from dualmetrics.wsgi.marker import adopt_outside
from dualmetrics.wsgi.nested import FindableBody, NestedRequest
from dualmetrics.wsgi.page import metrics_app
from dualmetrics.wsgi.request import TracedWsgiRequest, WsgiRequest
from dualmetrics.wsgi.upgrade import CountedUpgradeRequest, UpgradeRequest, asks_for_websocket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics.telemetry import Telemetry

_VERSIONS_BY_PROTOCOL = {f"HTTP/{version}": version for version in HTTP_VERSIONS} | {"HTTP/2.0": "2"}

PROTOCOLS.use("wsgi")  # here, as for ASGI, whose middleware may be made by the first request that passes it


class MetricsMiddleware(BaseMiddleware["WSGIApplication", WsgiRequest]):
    """Records the requests of ``app`` and answers the metrics path.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`, which raises SettingsError for a bad one. ``route_namer`` returns the
    route of a request; `set_route` takes precedence over it. ``serve_metrics=False`` leaves the metrics path
    to the app; its requests are still not recorded.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        telemetry: Telemetry | None = None,
        route_namer: RouteNamer | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        options = MiddlewareOptions.of(settings, serve_metrics, route_namer)
        telemetry = telemetry_for(telemetry, settings)
        page = metrics_app(telemetry) if options.serve_metrics and serves_page(telemetry) else None
        paths = PathFilter(telemetry.settings, wsgi=True)
        super().__init__(app, telemetry, paths, page, (WsgiRequest, TracedWsgiRequest), DETAILED_WSGI_TYPES)
        self._namer: RouteNamer = options.route_namer or _name_no_route
        is_counted = self._metrics.records_websockets
        self._upgrade_type = CountedUpgradeRequest if is_counted else UpgradeRequest
        telemetry.app_built()

    def __call__(
        self, environ: Environ, start_response: StartResponse, app: WSGIApplication | None = None
    ) -> Iterable[bytes]:
        """Serve one request, with ``app`` in place of the wrapped one if it is given."""
        if app is None:
            app = self.app
        path = environ.get("PATH_INFO", "")
        if PROTOCOLS.may_nest:
            adopt_outside(environ)
        if self._excluded(path) or not self._enabled:
            return self._pass_on(path, app, environ, start_response)
        if environ.get(MARKER_KEY) is not None:
            is_recorded = self._marker_of(environ) is not None
            app = partial(NestedRequest(self._namer, environ, self._telemetry.errors).call, app)
            if is_recorded:
                return app(environ, start_response)
        recorder = self._by_method.get(environ["REQUEST_METHOD"]) or self._find_recorder(environ)
        make_request = self._type_for_upgrade(environ) if "HTTP_UPGRADE" in environ else self._request_type
        if type(environ.get("wsgi.file_wrapper", object)) is not type:
            watch_file_wrapper(environ)
        request = make_request(self._telemetry, recorder, self._namer, environ, path, start_response)
        try:
            body = request.call_findable(app) if PROTOCOLS.may_nest else app(environ, request.start)
            return request.wrap_body(body)
        except BaseException as error:
            request.failed(error)
            raise

    def _type_for_upgrade(self, environ: Environ) -> type[WsgiRequest]:
        return self._upgrade_type if asks_for_websocket(environ) else self._request_type

    def _pass_on(
        self, path: str, app: WSGIApplication, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        self._metrics.saw_requests = True
        app = self._page_for(environ, path) or app
        self._exclude_outside(environ, path)
        root, path = decoded(environ.get("SCRIPT_NAME", "")), decoded(path)
        # With this marker, no middleware inside records it.
        marker = RequestMarker(self._telemetry, environ, root, path)
        marker.seen = None
        method = environ["REQUEST_METHOD"]
        with outside(marker, method, root + path):
            body = app(environ, start_response)
        return FindableBody(body, marker, method) if isinstance(body, GeneratorType) else body

    def _find_recorder(self, environ: Environ) -> RequestRecorder:
        self._metrics.saw_requests = True
        version = _VERSIONS_BY_PROTOCOL.get(environ.get("SERVER_PROTOCOL", ""))
        return self._metrics.recorder_for(environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], version)


def _name_no_route(environ: Environ) -> None:
    """Return None: the `RouteNamer` of an app that has none."""
