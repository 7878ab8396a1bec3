"""Metrics for Falcon on WSGI: ``app = DualMetrics(app)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import falcon

from dualmetrics.middleware import serves_page, telemetry_for
from dualmetrics.wsgi import MetricsMiddleware, set_route
from dualmetrics_falcon.responses import (
    MatchNoter,
    default_error_handler,
    note_template,
    refuse_taken_path,
    tell_unexpected,
    uri_template,
)

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]


class DualMetrics(MetricsMiddleware):
    """Records the requests of a Falcon app, and answers the metrics path. It takes the place of the app.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` leaves the metrics path to the app. Raises SettingsError
    for a bad setting and for a metrics path that a route of the app has.
    """

    def __init__(
        self,
        app: falcon.App[Any, Any],
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        super().__init__(app, telemetry=self.telemetry, route_namer=uri_template, serve_metrics=serve_metrics)
        if serve_metrics and serves_page(self.telemetry):
            refuse_taken_path(app, self.telemetry)
        watch_app(app, self.telemetry)


def watch_app(app: falcon.App[Any, Any], telemetry: Telemetry) -> None:
    """Have an app keep the template of each request, and tell the exceptions that Falcon answers."""
    app.add_middleware(TemplateNoter())
    if telemetry.settings.active_by_route:
        app.add_middleware(MatchNoter())
    default = default_error_handler(app)
    if default is not None:

        def note_and_answer(request: Any, response: Any, error: Any, params: Any) -> None:
            tell_unexpected(request, error)
            default(request, response, error, params)

        app.add_error_handler(Exception, note_and_answer)


class TemplateNoter:
    """Middleware of Falcon."""

    def process_response(self, request: Any, response: Any, resource: object, req_succeeded: bool) -> None:
        """Keep the template of the matched route."""
        note_template(request, response, req_succeeded)
