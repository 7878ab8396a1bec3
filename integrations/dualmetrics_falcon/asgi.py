"""Metrics for Falcon on ASGI: ``app = DualMetrics(app)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import falcon.asgi

from dualmetrics.asgi import ASGIApp, MetricsMiddleware, RouteNamer, set_route
from dualmetrics.middleware import serves_page, telemetry_for
from dualmetrics_falcon.responses import (
    MatchNoter,
    default_error_handler,
    keep_match,
    note_template,
    refuse_taken_path,
    tell_unexpected,
    uri_template,
)

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics(MetricsMiddleware):
    """Records the requests of a Falcon app, and answers the metrics path. It takes the place of the app.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` leaves the metrics path to the app. Raises SettingsError
    for a bad setting and for a metrics path that a route of the app has.
    """

    def __init__(
        self,
        app: falcon.asgi.App[Any, Any],
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        if serve_metrics and serves_page(self.telemetry):
            refuse_taken_path(app, self.telemetry)
        super().__init__(
            cast("ASGIApp", app),
            telemetry=self.telemetry,
            route_namer=routes(app),
            serve_metrics=serve_metrics,
        )
        if self.telemetry.settings.active_by_route:
            app.add_middleware(MatchNoter())


def routes(app: object) -> RouteNamer | None:
    """Have Falcon name the routes of ``app``. None if it is not an ASGI app of Falcon.

    This is the entry point ``falcon`` of the group ``dualmetrics_routes``.
    """
    if not isinstance(app, falcon.asgi.App):
        return None
    app.add_middleware(TemplateNoter())
    default = default_error_handler(app)
    if default is not None:

        async def note_and_answer(request: Any, response: Any, error: Any, params: Any) -> None:
            tell_unexpected(request, error)
            await default(request, response, error, params)

        app.add_error_handler(Exception, note_and_answer)
    return uri_template


class TemplateNoter:
    """Middleware of Falcon."""

    async def process_resource_ws(
        self, request: Any, websocket: Any, resource: object, params: dict[str, Any]
    ) -> None:
        """Keep the template of the matched route of a websocket."""
        keep_match(request)

    async def process_response(
        self, request: Any, response: Any, resource: object, req_succeeded: bool
    ) -> None:
        """Keep the template of the matched route."""
        note_template(request, response, req_succeeded)
