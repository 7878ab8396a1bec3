"""Metrics for connexion: ``DualMetrics(app)``, with a ``FlaskApp`` or an ``AsyncApp``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import MetricsMiddleware, set_route
from dualmetrics.middleware import MiddlewareOptions, route_taken_error, serves_page, telemetry_for

try:
    from connexion.apps.abstract import AbstractApp
    from connexion.middleware import ConnexionMiddleware, MiddlewarePosition
except ImportError as error:
    raise ImportError(
        'dualmetrics_connexion needs connexion: pip install "dualmetrics[connexion]"'
    ) from error

from dualmetrics_connexion.paths import ApiPaths, has_path, routes

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics:
    """Records the requests of a connexion app, and answers the metrics path.

    It stands outside of connexion's validation, security and error handlers. ``telemetry`` is the `Telemetry`
    to record with. Without it, ``settings`` are passed to `dualmetrics.configure`. ``serve_metrics=False``
    leaves the metrics path to the app. Call it before the app starts. Raises SettingsError for a bad setting
    and for a metrics path that an API of the app has.
    """

    def __init__(
        self,
        app: AbstractApp | ConnexionMiddleware,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        path = self.telemetry.settings.prometheus_path
        connexion: ConnexionMiddleware = getattr(app, "middleware", app)
        if options.serve_metrics and serves_page(self.telemetry) and has_path(connexion, path):
            raise route_taken_error(self.telemetry, path)
        connexion.add_middleware(
            MetricsMiddleware,
            position=MiddlewarePosition.BEFORE_EXCEPTION,
            telemetry=self.telemetry,
            route_namer=ApiPaths.of(connexion),
            serve_metrics=options.serve_metrics,
        )
