"""Metrics for any WSGI app: wrap it in `MetricsMiddleware`."""

from dualmetrics.wsgi.middleware import MetricsMiddleware, metrics_app, set_route

__all__ = ["MetricsMiddleware", "metrics_app", "set_route"]
