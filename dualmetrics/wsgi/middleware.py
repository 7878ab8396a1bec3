"""The WSGI middleware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.request_attributes import HTTP_VERSIONS
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.middleware import BaseMiddleware, serves_page, telemetry_for
from dualmetrics.wsgi.environ import TELEMETRIES_KEY, Environ, RouteNamer
from dualmetrics.wsgi.page import metrics_app
from dualmetrics.wsgi.request import TracedWsgiRequest, WsgiRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics.telemetry import Telemetry

_VERSIONS_BY_PROTOCOL = {f"HTTP/{version}": version for version in HTTP_VERSIONS} | {"HTTP/2.0": "2"}


class MetricsMiddleware(BaseMiddleware["WSGIApplication", WsgiRequest]):
    """Records the requests of ``app`` and answers the metrics path.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`, which raises SettingsError for a bad one. ``route`` returns the route of a
    request; `set_route` takes precedence over it. ``answer=False`` leaves the metrics path to the app; its
    requests are still not recorded.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        telemetry: Telemetry | None = None,
        route: RouteNamer | None = None,
        answer: bool = True,
        **settings: Any,
    ) -> None:
        telemetry = telemetry_for(telemetry, settings)
        page = metrics_app(telemetry) if answer and serves_page(telemetry) else None
        paths = PathFilter(telemetry.settings, wsgi=True)
        super().__init__(app, telemetry, paths, page, (WsgiRequest, TracedWsgiRequest))
        self._only_telemetry = (telemetry,)
        self._namer = route or _name_no_route
        telemetry.app_built()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        outer: tuple[Telemetry, ...] = environ.get(TELEMETRIES_KEY, ())
        if self._excluded(path) or not self._enabled or self._telemetry in outer:
            app = self._page if self._page and path == self._paths.page else self.app
            return app(environ, start_response)
        environ[TELEMETRIES_KEY] = (*outer, self._telemetry) if outer else self._only_telemetry
        recorder = self._by_method.get(environ["REQUEST_METHOD"]) or self._find_recorder(environ)
        request = self._request_type(recorder, self._namer, environ, start_response)
        try:
            return request.wrap_body(self.app(environ, request.start))
        except BaseException as error:
            request.failed(error)
            raise

    def _find_recorder(self, environ: Environ) -> RequestRecorder:
        version = _VERSIONS_BY_PROTOCOL.get(environ.get("SERVER_PROTOCOL", ""))
        return self._metrics.recorder_for(environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], version)


def _name_no_route(environ: Environ) -> None:
    """Return None: the `RouteNamer` of an app that has none."""
