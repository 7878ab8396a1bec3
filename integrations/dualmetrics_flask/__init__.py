"""Metrics for Flask: ``DualMetrics(app)``, or ``DualMetrics().init_app(app)`` in an app factory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.middleware import MiddlewareOptions, route_taken_error, serves_page, telemetry_for
from dualmetrics.wsgi import MetricsMiddleware, answer_scrape, set_route

try:
    from flask import Flask, Response, got_request_exception, request
except ImportError as error:
    raise ImportError('dualmetrics_flask needs Flask: pip install "dualmetrics[flask]"') from error

from dualmetrics_flask.rules import note_exception, rule_of

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]

ENDPOINT = "dualmetrics"


class DualMetrics:
    """Records the requests of a Flask app and adds the metrics page to it as a route.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` adds no route. Raises SettingsError for a bad setting
    and for a metrics path that a route of the app has.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        self._serves_page = options.serve_metrics and serves_page(self.telemetry)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Record the requests of ``app`` and mount the page. Call it at any time, for any number of apps."""
        middleware = MetricsMiddleware(
            app.wsgi_app,
            telemetry=self.telemetry,
            route_namer=rule_of,
            serve_metrics=self._serves_page and not self._mount(app),
        )
        app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask documents this way to add middleware
        got_request_exception.connect(note_exception, app)
        app.extensions[ENDPOINT] = self

    def _mount(self, app: Flask) -> bool:
        """Add the route. False if the app has served a request: Flask then accepts no more routes."""
        path = self.telemetry.settings.prometheus_path
        for rule in app.url_map.iter_rules():
            if rule.rule == path and "GET" in (rule.methods or {"GET"}):
                if self._is_own_route(app, rule.endpoint):
                    return True
                raise route_taken_error(self.telemetry, rule.endpoint)
        try:
            endpoint = f"{ENDPOINT} {path}" if ENDPOINT in app.view_functions else ENDPOINT
            app.add_url_rule(path, endpoint, self._page, methods=["GET"])
        except AssertionError:
            return False
        return True

    def _is_own_route(self, app: Flask, endpoint: str) -> bool:
        view = getattr(app.view_functions.get(endpoint), "__self__", None)
        return isinstance(view, DualMetrics) and view.telemetry is self.telemetry

    def _page(self) -> Response:
        answer = answer_scrape(self.telemetry, request.environ)
        return Response(answer.chunks, answer.status, answer.headers)
