"""Metrics for Quart: ``DualMetrics(app)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import (
    MetricsMiddleware,
    RouteNamer,
    Scope,
    answer_scrape,
    paced_chunks,
    set_error,
    set_route,
)
from dualmetrics.middleware import MiddlewareOptions, route_taken_error, serves_page, telemetry_for

try:
    from quart import Quart, Response, request, websocket
    from quart.signals import got_request_exception, request_started, websocket_started
except ImportError as error:
    raise ImportError('dualmetrics_quart needs Quart: pip install "dualmetrics[quart]"') from error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics:
    """Records the requests of a Quart app and adds the metrics page to it as a route.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` adds no route. Raises SettingsError for a bad setting and
    for a metrics path that a route of the app has.
    """

    def __init__(
        self, app: Quart, *, telemetry: Telemetry | None = None, serve_metrics: bool = True, **settings: Any
    ) -> None:
        options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        if options.serve_metrics and serves_page(self.telemetry):
            self._mount_page(app)
        typed: Any = app  # Quart has its own types of ASGI
        typed.asgi_app = MetricsMiddleware(
            typed.asgi_app, telemetry=self.telemetry, route_namer=routes(app), serve_metrics=False
        )

    def _mount_page(self, app: Quart) -> None:
        path = self.telemetry.settings.prometheus_path
        for rule in app.url_map.iter_rules():
            if rule.rule == path and "GET" in (rule.methods or {"GET"}):
                raise route_taken_error(self.telemetry, rule.endpoint)
        endpoint = f"dualmetrics {path}" if "dualmetrics" in app.view_functions else "dualmetrics"
        app.add_url_rule(path, endpoint, self._page, methods=["GET"])

    async def _page(self) -> Response:
        scope: Any = request.scope
        answer = await answer_scrape(self.telemetry, scope)
        return Response(paced_chunks(answer.chunks), answer.status, dict(answer.headers))


def routes(app: object) -> RouteNamer | None:
    """Have Quart name the routes of ``app``. None if it is not an app of Quart.

    This is the entry point ``quart`` of the group ``dualmetrics_routes``.
    """
    if not isinstance(app, Quart):
        return None
    request_started.connect(note_rule, app)
    websocket_started.connect(note_websocket_rule, app)
    got_request_exception.connect(note_unhandled, app)
    return name_no_other_route


async def note_rule(app: Quart, **_: object) -> None:
    """Tell the middleware which rule matched. There is none after a 404, a 405 or a redirect by Quart."""
    if request.url_rule is not None:
        scope: Any = request.scope
        set_route(scope, request.url_rule.rule)


async def note_websocket_rule(app: Quart, **_: object) -> None:
    """Tell the middleware which rule matched a websocket."""
    if websocket.url_rule is not None:
        scope: Any = websocket.scope
        set_route(scope, websocket.url_rule.rule)


async def note_unhandled(app: Quart, exception: BaseException, **_: object) -> None:
    """Tell the middleware about an exception that Quart answers with a 500."""
    scope: Any = request.scope
    set_error(scope, exception)


def name_no_other_route(scope: Scope, path: str) -> None:
    """The `RouteNamer`: a request for which nobody called `set_route` has no route."""
