"""Records the apps of Pyramid that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from pyramid.router import Router

from dualmetrics.wsgi import MetricsMiddleware
from dualmetrics.zero_code import Patch, before_first_call, unchanged_telemetry
from dualmetrics_pyramid import add_noters, has_pattern, pattern_in


def install() -> Patch:
    """Have every app record from its first request on."""
    return before_first_call(Router, "__call__", _record)


def _record(app: Any, call: Any) -> MetricsMiddleware | None:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    with Configurator(registry=app.registry) as config:  # commits at its end
        add_noters(config)
    app.registry.has_listeners = True
    middleware = MetricsMiddleware(call, telemetry=telemetry, route_namer=pattern_in)
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: path if has_pattern(app, path) else None)
    return middleware
