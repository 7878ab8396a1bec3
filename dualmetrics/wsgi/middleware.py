"""The WSGI middleware."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from dualmetrics.http.marker import MARKER_KEY, InnerNamer
from dualmetrics.http.nesting import PROTOCOLS, adopt, outside
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.request_attributes import HTTP_VERSIONS
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.middleware import BaseMiddleware, MiddlewareOptions, serves_page, telemetry_for
from dualmetrics.wsgi.environ import Environ, RouteNamer, decoded
from dualmetrics.wsgi.page import metrics_app
from dualmetrics.wsgi.request import TracedWsgiRequest, WsgiRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics.telemetry import Telemetry

_VERSIONS_BY_PROTOCOL = {f"HTTP/{version}": version for version in HTTP_VERSIONS} | {"HTTP/2.0": "2"}


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
        PROTOCOLS.use("wsgi")
        super().__init__(app, telemetry, paths, page, (WsgiRequest, TracedWsgiRequest))
        self._namer: RouteNamer = options.route_namer or _name_no_route
        telemetry.app_built()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        if self._excluded(path) or not self._enabled:
            return self._pass_on(path, environ, start_response)
        root = environ.get("SCRIPT_NAME", "")
        if PROTOCOLS.may_nest:
            adopt(environ, environ["REQUEST_METHOD"], decoded(root + path))
        if MARKER_KEY in environ and (recorded := self._marker_of(environ)) is not None:
            recorded.inner = InnerNamer(partial(self._namer, environ), decoded(root), recorded.inner)
            return self.app(environ, start_response)
        recorder = self._by_method.get(environ["REQUEST_METHOD"]) or self._find_recorder(environ)
        request = self._request_type(self._telemetry, recorder, self._namer, environ, root, start_response)
        try:
            if PROTOCOLS.may_nest:
                with outside(request, environ["REQUEST_METHOD"], decoded(root + path)):
                    body = self.app(environ, request.start)
            else:
                body = self.app(environ, request.start)
            return request.wrap_body(body)
        except BaseException as error:
            request.failed(error)
            raise

    def _pass_on(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._exclude_outside(environ, path)
        app = self._page if self._page and path == self._paths.page else self.app
        return app(environ, start_response)

    def _find_recorder(self, environ: Environ) -> RequestRecorder:
        version = _VERSIONS_BY_PROTOCOL.get(environ.get("SERVER_PROTOCOL", ""))
        return self._metrics.recorder_for(environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], version)


def _name_no_route(environ: Environ) -> None:
    """Return None: the `RouteNamer` of an app that has none."""
