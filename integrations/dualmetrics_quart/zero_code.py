"""Records the apps of Quart that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from quart import Quart

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.zero_code import Patch, before_first_call, own_class, unchanged_telemetry
from dualmetrics_quart import routes


def install() -> Patch:
    """Have every app record from its start on."""
    return before_first_call(own_class(Quart, "quart"), "__call__", _record)


def _record(app: Quart, call: Any) -> MetricsMiddleware | None:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    middleware = MetricsMiddleware(call, telemetry=telemetry, route_namer=routes(app))
    path = telemetry.settings.prometheus_path
    rules = app.url_map
    middleware.yield_page(lambda: next((path for rule in rules.iter_rules() if rule.rule == path), None))
    return middleware
