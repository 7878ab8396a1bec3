"""Records the apps of Falcon that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi

from dualmetrics import asgi, wsgi
from dualmetrics.zero_code import Patch, before_first_call, own_class, unchanged_telemetry
from dualmetrics_falcon.asgi import routes
from dualmetrics_falcon.responses import has_route, uri_template
from dualmetrics_falcon.wsgi import watch_app


def install() -> list[Patch]:
    """Have every app record, on WSGI from its first request on, on ASGI from its start on."""
    return [
        before_first_call(own_class(falcon.App, "falcon"), "__call__", _record_wsgi),
        before_first_call(own_class(falcon.asgi.App, "falcon"), "__call__", _record_asgi),
    ]


def _record_wsgi(app: Any, call: Any) -> wsgi.MetricsMiddleware | None:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    watch_app(app, telemetry)
    middleware = wsgi.MetricsMiddleware(call, telemetry=telemetry, route_namer=uri_template)
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: path if has_route(app, path) else None)
    return middleware


def _record_asgi(app: Any, call: Any) -> asgi.MetricsMiddleware | None:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    middleware = asgi.MetricsMiddleware(call, telemetry=telemetry, route_namer=routes(app))
    path = telemetry.settings.prometheus_path
    middleware.yield_page(lambda: path if has_route(app, path) else None)
    return middleware
