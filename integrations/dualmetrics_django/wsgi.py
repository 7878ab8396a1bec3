"""Metrics for Django on WSGI: ``application = DualMetrics(get_wsgi_application())`` in ``wsgi.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.handlers.wsgi import WSGIHandler

from dualmetrics.middleware import telemetry_for
from dualmetrics.wsgi import MetricsMiddleware, set_route
from dualmetrics_django.handlers import handlers_of, route_of, watch, watch_from_start

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]


class DualMetrics(MetricsMiddleware):
    """Records the requests of a Django application, and answers the metrics path.

    It stands outside of all of Django's middleware, so each response that leaves Django is counted, with the
    status that was sent. ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed
    to `dualmetrics.configure`. ``serve_metrics=False`` leaves the metrics path to Django. Raises
    SettingsError for a bad setting, and TypeError for an app that is not Django's.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        handlers = list(handlers_of(app, WSGIHandler))
        self.telemetry = telemetry_for(telemetry, settings)
        super().__init__(app, telemetry=self.telemetry, route_namer=route_of, serve_metrics=serve_metrics)
        for handler in handlers:
            watch(handler)
            if self.telemetry.settings.active_by_route:
                watch_from_start(handler)
