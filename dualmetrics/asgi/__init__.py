"""Metrics for any ASGI app: wrap it in `MetricsMiddleware`."""

from dualmetrics.asgi.middleware import MetricsMiddleware
from dualmetrics.asgi.page import metrics_app
from dualmetrics.asgi.request import set_route

__all__ = ["MetricsMiddleware", "metrics_app", "set_route"]
