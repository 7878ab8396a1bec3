"""Records the apps of Litestar that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from litestar import Litestar

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.zero_code import Patch, before_first_call, own_class, unchanged_telemetry
from dualmetrics_litestar.handled import CauseNoter, routes


def install() -> Patch:
    """Have every app record from its start on."""
    return before_first_call(own_class(Litestar, "litestar"), "__call__", _record)


def _record(app: Litestar, call: Any) -> MetricsMiddleware | None:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    middleware = MetricsMiddleware(CauseNoter(call), telemetry=telemetry, route_namer=routes(app))
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: next((path for route in app.routes if route.path == path), None))
    return middleware
