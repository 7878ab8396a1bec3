"""Metrics for any ASGI app: wrap it in `MetricsMiddleware`."""

from dualmetrics.asgi.middleware import MetricsMiddleware, metrics_app, set_route

__all__ = ["MetricsMiddleware", "metrics_app", "set_route"]
