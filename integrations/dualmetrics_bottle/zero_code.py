"""Records the apps of Bottle that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from bottle import Bottle

from dualmetrics.wsgi import MetricsMiddleware
from dualmetrics.zero_code import Patch, before_first_call, unchanged_telemetry
from dualmetrics_bottle import rule_in


def install() -> Patch:
    """Have every app record from its first request on."""
    return before_first_call(Bottle, "__call__", _record)


def _record(app: Any, call: Any) -> MetricsMiddleware | None:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    middleware = MetricsMiddleware(call, telemetry=telemetry, route_namer=rule_in)
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: next((path for route in app.routes if route.rule == path), None))
    return middleware
