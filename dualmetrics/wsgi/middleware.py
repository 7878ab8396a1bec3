"""Metrics for any WSGI app: middleware that records and answers the metrics path, and the page as an app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.server_metrics import RequestRecorder
from dualmetrics.middleware import serves_page, telemetry_for
from dualmetrics.wsgi.page import metrics_app
from dualmetrics.wsgi.request import Environ, RouteNamer, TracedWsgiRequest, WsgiRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics.telemetry import Telemetry

TELEMETRIES_KEY = "dualmetrics.telemetries"
"""The environ's key of a tuple: each Telemetry that counts the request."""

VERSIONS = {f"HTTP/{version}": version for version in ("0.9", "1.0", "1.1", "2", "3")} | {"HTTP/2.0": "2"}


class MetricsMiddleware:
    """Records the requests of ``app`` and answers the metrics path.

    ``telemetry`` is the `Telemetry` to record with; without one ``settings`` go to `dualmetrics.configure`,
    which may raise SettingsError. ``route`` names the matched route of a request, and `set_route` can always
    say it. ``answer=False`` leaves the metrics path to the app; it is not recorded even so.
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
        self.app = app
        self._telemetry = telemetry = telemetry_for(telemetry, settings)
        self._alone = (telemetry,)
        self._metrics = telemetry.server_metrics
        self._by_method = self._metrics.by_method
        self._enabled = telemetry.enabled
        self._paths = PathFilter(telemetry.settings, wsgi=True)
        self._excluded = self._paths.excluded
        self._page = metrics_app(telemetry) if answer and serves_page(telemetry) else None
        self._name = route or no_route_name
        self._transaction: type[WsgiRequest] = WsgiRequest
        self._metrics.exemplars.on_active(self._trace)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        outer: tuple[Telemetry, ...] = environ.get(TELEMETRIES_KEY, ())
        if self._excluded(path) or not self._enabled or self._telemetry in outer:
            app = self._page if self._page and path == self._paths.page else self.app
            return app(environ, start_response)
        environ[TELEMETRIES_KEY] = (*outer, self._telemetry) if outer else self._alone
        requests = self._by_method.get(environ["REQUEST_METHOD"]) or self._requests_of(environ)
        transaction = self._transaction(requests, self._name, environ, start_response)
        try:
            return transaction.deliver(self.app(environ, transaction.start))
        except BaseException as error:
            transaction.failed(error)
            raise

    def _trace(self) -> None:
        self._transaction = TracedWsgiRequest

    def _requests_of(self, environ: Environ) -> RequestRecorder:
        version = VERSIONS.get(environ.get("SERVER_PROTOCOL", ""))
        return self._metrics.requests(environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], version)


def no_route_name(environ: Environ) -> None:
    """Where nothing names routes."""
