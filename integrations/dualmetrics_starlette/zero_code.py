"""Records the apps of Starlette and FastAPI that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.zero_code import Patch, before_first_call, own_class, unchanged_telemetry
from dualmetrics_starlette.page_route import taken_template
from dualmetrics_starlette.routes import Routes
from dualmetrics_starlette.stacks import build_stack


def install() -> Patch:
    """Have every app record from its start on."""
    return before_first_call(own_class(Starlette, "starlette"), "__call__", _record)


def _record(app: Any, call: Any) -> MetricsMiddleware | None:
    build_stack(app)  # it may have our middleware, which the app adds with settings of its own
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    names = Routes.of(app)
    middleware = MetricsMiddleware(call, telemetry=telemetry, route_namer=names)
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: taken_template(path, names.templates()))
    return middleware
