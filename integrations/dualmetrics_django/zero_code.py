"""Records the applications of Django that do not know dualmetrics.

It is imported when one module of handlers was imported, and must not import the other one by the way.
"""

from __future__ import annotations

from typing import Any

from dualmetrics import asgi, wsgi
from dualmetrics.zero_code import Patch, before_first_call, unchanged_telemetry
from dualmetrics_django.template import template_of


def install_wsgi() -> Patch:
    """Have every WSGI application record from its first request on."""
    from django.core.handlers.wsgi import WSGIHandler

    return before_first_call(WSGIHandler, "__call__", _record_wsgi)


def install_asgi() -> Patch:
    """Have every ASGI application record from its start on."""
    from django.core.handlers.asgi import ASGIHandler

    return before_first_call(ASGIHandler, "__call__", _record_asgi)


def _record_wsgi(handler: Any, call: Any) -> wsgi.MetricsMiddleware | None:
    from dualmetrics_django.handlers import route_of, watch

    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    watch(handler)
    middleware = wsgi.MetricsMiddleware(call, telemetry=telemetry, route_namer=route_of)
    middleware.yield_page(lambda: _own_view(telemetry.settings.prometheus_path))
    return middleware


def _record_asgi(handler: Any, call: Any) -> asgi.MetricsMiddleware | None:
    from dualmetrics_django.asgi import WithLifespan
    from dualmetrics_django.handlers import route_of, watch

    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    watch(handler)
    middleware = asgi.MetricsMiddleware(WithLifespan(call), telemetry=telemetry, route_namer=route_of)
    middleware.yield_page(lambda: _own_view(telemetry.settings.prometheus_path))
    return middleware


def _own_view(path: str) -> str | None:
    """The route of a view for exactly this path. A route that takes any path does not count."""
    from django.urls import Resolver404, resolve

    try:
        template = template_of(resolve(path).route)
    except Resolver404:
        return None
    return template if template == path else None
