"""Metrics for any WSGI app: wrap it in `MetricsMiddleware`."""

from dualmetrics.wsgi.middleware import MetricsMiddleware
from dualmetrics.wsgi.page import metrics_app
from dualmetrics.wsgi.request import set_route

__all__ = ["MetricsMiddleware", "metrics_app", "set_route"]
