"""Metrics for Flask: ``DualMetrics(app)``, or ``DualMetrics().init_app(app)`` in an app factory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.middleware import MiddlewareOptions, serves_page, telemetry_for
from dualmetrics.wsgi import set_route

try:
    from flask import Flask, got_request_exception
except ImportError as error:
    raise ImportError('dualmetrics_flask needs Flask: pip install "dualmetrics[flask]"') from error

from dualmetrics_flask.kinds import check_kind
from dualmetrics_flask.outermost import is_recorded_with, record_outermost
from dualmetrics_flask.page import ENDPOINT, add_page
from dualmetrics_flask.rules import note_exception

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]


class DualMetrics:
    """Records the requests of a Flask app and adds the metrics page to it as a route.

    It stands outside of all middleware of the app, whatever is added later. So each response that leaves the
    app is counted, with the status that was sent.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``serve_metrics=False`` adds no route. Raises SettingsError for a bad setting
    and for a metrics path that a route of the app has, and TypeError for an app of another kind.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        if app is not None:
            check_kind(app)
        options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        self._serves_page = options.serve_metrics and serves_page(self.telemetry)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Record the requests of ``app`` and mount the page. Call it at any time, for any number of apps.

        Raises TypeError if it is no app of Flask.
        """
        app = check_kind(app)
        is_page_missing = self._serves_page and not add_page(app, self.telemetry)
        if is_page_missing or not is_recorded_with(app, self.telemetry):
            record_outermost(app, self.telemetry, serve_metrics=is_page_missing)
        got_request_exception.connect(note_exception, app)
        app.extensions[ENDPOINT] = self
