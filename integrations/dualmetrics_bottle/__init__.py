"""Metrics for Bottle: ``DualMetrics(app)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import REST
from dualmetrics.middleware import MiddlewareOptions, route_taken_error, serves_page, telemetry_for
from dualmetrics.wsgi import Environ, MetricsMiddleware, answer_scrape, set_route

try:
    from bottle import Bottle, HTTPResponse, request
except ImportError as error:
    raise ImportError('dualmetrics_bottle needs Bottle: pip install "dualmetrics[bottle]"') from error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]

MOUNTED = "/<:re:.*>"
"""Ends the rule of a mounted WSGI app."""


class DualMetrics:
    """Records the requests of a Bottle app and adds the metrics page to it as a route.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` adds no route. Raises SettingsError for a bad setting and
    for a metrics path that a route of the app has.
    """

    def __init__(
        self, app: Bottle, *, telemetry: Telemetry | None = None, serve_metrics: bool = True, **settings: Any
    ) -> None:
        options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        if options.serve_metrics and serves_page(self.telemetry):
            self._mount_page(app)
        middleware = MetricsMiddleware(
            app.wsgi, telemetry=self.telemetry, route_namer=rule_in, serve_metrics=False
        )
        vars(app)["wsgi"] = middleware  # Bottle refuses to set an attribute twice, as for two telemetries

    def _mount_page(self, app: Bottle) -> None:
        path = self.telemetry.settings.prometheus_path
        if any(route.rule == path and route.method in ("GET", "ANY") for route in app.routes):
            raise route_taken_error(self.telemetry, path)
        app.route(path, "GET", self._page, skip=True)  # without the plugins of the app

    def _page(self) -> HTTPResponse:
        answer = answer_scrape(self.telemetry, request.environ)
        return HTTPResponse(answer.chunks, answer.status, answer.headers)


def rule_in(environ: Environ) -> str | None:
    """The rule that matched, as the app wrote it. None after a 404 or 405 by Bottle."""
    route = environ.get("bottle.route")
    if route is None:
        return None
    rule: str = route.rule
    return rule.removesuffix(MOUNTED) + REST if rule.endswith(MOUNTED) else rule
