"""Metrics for Django on ASGI: ``application = DualMetrics(get_asgi_application())`` in ``asgi.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.core.handlers.asgi import ASGIHandler

from dualmetrics.asgi import (
    ASGIApp,
    MetricsMiddleware,
    Receive,
    RouteNamer,
    Scope,
    Send,
    set_route,
)
from dualmetrics.middleware import telemetry_for
from dualmetrics_django.handlers import handlers_of, route_of, watch, watch_from_start

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics(MetricsMiddleware):
    """Records the requests of a Django application, and answers the metrics path.

    It stands outside of all of Django's middleware, so each response that leaves Django is counted, with the
    status that was sent. Django has no lifespan; this has one, so that the last counts are exported when the
    server ends. ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` leaves the metrics path to Django. Raises SettingsError
    for a bad setting, and TypeError for an app that is not Django's.
    """

    def __init__(
        self,
        app: ASGIApp | ASGIHandler,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        handlers = list(handlers_of(app, ASGIHandler))
        self.telemetry = telemetry_for(telemetry, settings)
        inside = WithLifespan(cast("ASGIApp", app)) if isinstance(app, ASGIHandler) else app
        super().__init__(inside, telemetry=self.telemetry, route_namer=route_of, serve_metrics=serve_metrics)
        for handler in handlers:
            watch(handler)
            if self.telemetry.settings.active_by_route:
                watch_from_start(handler)


def routes(app: object) -> RouteNamer | None:
    """Have Django name the routes of ``app``. None if it is not an application of Django.

    This is the entry point ``django`` of the group ``dualmetrics_routes``.
    """
    if not isinstance(app, ASGIHandler):
        return None
    watch(app)
    return route_of


class WithLifespan:
    """Gives the app a lifespan that does nothing. Django raises an exception when it is asked for one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. The middleware completes the lifespan of an app that returns."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
