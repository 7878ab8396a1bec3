"""Metrics for Starlette and FastAPI: ``DualMetrics(app)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import MetricsMiddleware, set_route
from dualmetrics.middleware import serves_page, telemetry_for

try:
    from starlette.applications import Starlette
except ImportError as error:
    raise ImportError(
        'dualmetrics_starlette needs Starlette: pip install "dualmetrics[starlette]"'
    ) from error

from dualmetrics_starlette.page_route import mount_page
from dualmetrics_starlette.routes import Routes, routes

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics:
    """Records the requests of a Starlette or FastAPI app and adds the metrics page to it as a route.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``route=False`` adds no route. Raises SettingsError for a bad setting, and if the
    app already has a route on the metrics path.

    An app that already serves requests is recorded from this moment on. Its lifespan began without the
    middleware and so cannot tell it of the end: the last counts are exported at the exit of the interpreter,
    if it has one.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        telemetry: Telemetry | None = None,
        route: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        names = Routes(app)
        if route and serves_page(self.telemetry):
            mount_page(app, self.telemetry, names.templates())
        options: dict[str, Any] = {"telemetry": self.telemetry, "route": names, "answer": False}
        if app.middleware_stack is None:
            app.add_middleware(MetricsMiddleware, **options)
        else:
            # The app has served a request, so `add_middleware` raises RuntimeError. There is no documented
            # way to add middleware now, but the built stack is a public attribute.
            app.middleware_stack = MetricsMiddleware(app.middleware_stack, **options)
