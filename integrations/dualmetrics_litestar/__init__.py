"""Metrics for Litestar: ``DualMetrics(app)``, or ``Litestar(..., plugins=[DualMetrics()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import MetricsMiddleware, set_route
from dualmetrics.middleware import MiddlewareOptions, route_taken_error, serves_page, telemetry_for
from dualmetrics.own_server import run_in_thread

try:
    from litestar import Litestar
    from litestar.plugins import InitPluginProtocol
except ImportError as error:
    raise ImportError('dualmetrics_litestar needs Litestar: pip install "dualmetrics[litestar]"') from error

from dualmetrics_litestar.handled import CauseNoter, note_unhandled_exceptions, path_template, routes

if TYPE_CHECKING:
    from litestar.config.app import AppConfig

    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics(InitPluginProtocol):
    """Records the requests of a Litestar app, and answers the metrics path.

    It stands outside of all middleware and of the app's exception handlers. As a plugin it begins when the
    app starts, so the server must support lifespans. ``telemetry`` is the `Telemetry` to record with. Without
    it, ``settings`` are passed to `dualmetrics.configure`. ``serve_metrics=False`` leaves the metrics path to
    the app. Raises SettingsError for a bad setting and for a metrics path that a route of the app has.
    """

    def __init__(
        self,
        app: Litestar | None = None,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        self._options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        if app is not None:
            self._record(app)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Have the app recorded from its start on: Litestar calls this for a plugin."""
        app_config.on_startup.insert(0, self._record)
        return app_config

    def _record(self, app: Litestar) -> None:
        path = self.telemetry.settings.prometheus_path
        serve_metrics = self._options.serve_metrics and serves_page(self.telemetry)
        if serve_metrics and any(route.path == path for route in app.routes):
            raise route_taken_error(self.telemetry, path)
        handler: Any = app.asgi_handler  # Litestar has its own types of ASGI
        app.asgi_handler = MetricsMiddleware(  # type: ignore[assignment]
            CauseNoter(handler),
            telemetry=self.telemetry,
            route_namer=path_template,
            serve_metrics=serve_metrics,
        )
        note_unhandled_exceptions(app)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._end)

    async def _start(self) -> None:
        await run_in_thread(self.telemetry.start)

    async def _end(self) -> None:
        await run_in_thread(self.telemetry.shutdown)
