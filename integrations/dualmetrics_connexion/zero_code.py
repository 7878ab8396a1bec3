"""Records the apps of connexion that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from connexion.middleware import ConnexionMiddleware

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.zero_code import Patch, before_first_call, unchanged_telemetry
from dualmetrics_connexion.paths import ApiPaths, has_path


def install() -> Patch:
    """Have every app record from its start on."""
    return before_first_call(ConnexionMiddleware, "__call__", _record)


def _record(app: ConnexionMiddleware, call: Any) -> MetricsMiddleware | None:
    paths = ApiPaths.of(app)
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    middleware = MetricsMiddleware(call, telemetry=telemetry, route_namer=paths)
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: path if has_path(app, path) else None)
    return middleware
