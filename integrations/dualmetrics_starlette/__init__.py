"""Metrics for Starlette and FastAPI: ``DualMetrics(app)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import ASGIApp, MetricsMiddleware, set_route, wrapped_apps
from dualmetrics.middleware import MiddlewareOptions, serves_page, telemetry_for

try:
    from starlette.applications import Starlette
except ImportError as error:
    raise ImportError(
        'dualmetrics_starlette needs Starlette: pip install "dualmetrics[starlette]"'
    ) from error

from dualmetrics_starlette.page_route import mount_page
from dualmetrics_starlette.routes import Routes, routes
from dualmetrics_starlette.stacks import stand_outermost

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics:
    """Records the requests of a Starlette or FastAPI app and adds the metrics page to it as a route.

    It stands outside of all middleware of the app and of its error handlers, whatever is added later. So each
    response that leaves the app is counted, with the status that was sent.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` adds no route. Raises SettingsError for a bad setting
    and for a metrics path that a route of the app has, and TypeError for an app of another kind.

    An app that already serves requests is recorded from this moment on. Its lifespan began without the
    middleware and so cannot tell it of the end: the last counts are exported at the exit of the interpreter,
    if it has one.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        _check_kind(app)
        options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        self._names = Routes.of(app)
        if options.serve_metrics and serves_page(self.telemetry):
            mount_page(app, self.telemetry, self._names.templates)
        stand_outermost(app, self._wrap, note_errors=self.telemetry.settings.records_error_type)

    def _wrap(self, app: ASGIApp) -> ASGIApp:
        self._names.walk()
        return MetricsMiddleware(app, telemetry=self.telemetry, route_namer=self._names, serve_metrics=False)


def _check_kind(app: object) -> None:
    """Raise TypeError for an object that is no app of Starlette or FastAPI, and say what to use."""
    if isinstance(app, Starlette):
        return
    inside = next((layer for layer in wrapped_apps(app) if isinstance(layer, Starlette)), None)
    if inside is not None:
        advice = f"pass the {type(inside).__name__} app inside it, before it is wrapped"
    else:
        advice = (
            "for another ASGI app, use dualmetrics.asgi.MetricsMiddleware; for Flask, use dualmetrics_flask; "
            "for another WSGI app, use dualmetrics.wsgi.MetricsMiddleware"
        )
    raise TypeError(
        f"DualMetrics needs an app of Starlette or FastAPI, not {type(app).__qualname__}: {advice}"
    )
