"""Metrics for Flask: ``DualMetrics(app)``, or ``DualMetrics().init_app(app)`` in an app factory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.middleware import route_taken_error, serves_page, telemetry_for
from dualmetrics.wsgi import Environ, MetricsMiddleware, answer_scrape, set_error, set_route

try:
    from flask import Flask, Response, got_request_exception, request
except ImportError as error:
    raise ImportError('dualmetrics_flask needs Flask: pip install "dualmetrics[flask]"') from error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]

ENDPOINT = "dualmetrics"

RULE_KEY = "dualmetrics_flask.rule"
"""The environ key of the rule that matched a request whose handler raised."""


class DualMetrics:
    """Records the requests of a Flask app and adds the metrics page to it as a route.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. ``route=False`` adds no route. Raises SettingsError for a bad setting, and if the
    app already has a route on the metrics path.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        telemetry: Telemetry | None = None,
        route: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        self._route = route and serves_page(self.telemetry)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Record the requests of ``app`` and mount the page. Call it at any time, for any number of apps."""
        answer = self._route and not self._mount(app)
        middleware = MetricsMiddleware(app.wsgi_app, telemetry=self.telemetry, route=rule_of, answer=answer)
        app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask documents this way to add middleware
        got_request_exception.connect(note_exception, app)
        app.extensions[ENDPOINT] = self

    def _mount(self, app: Flask) -> bool:
        """Add the route. False if the app has served a request: Flask then accepts no more routes."""
        path = self.telemetry.settings.prometheus_path
        for rule in app.url_map.iter_rules():
            if rule.rule == path and "GET" in (rule.methods or {"GET"}):
                if self._is_own_route(app, rule.endpoint):
                    return True
                raise route_taken_error(self.telemetry, rule.endpoint)
        try:
            endpoint = f"{ENDPOINT} {path}" if ENDPOINT in app.view_functions else ENDPOINT
            app.add_url_rule(path, endpoint, self._page, methods=["GET"])
        except AssertionError:
            return False
        return True

    def _is_own_route(self, app: Flask, endpoint: str) -> bool:
        view = getattr(app.view_functions.get(endpoint), "__self__", None)
        return isinstance(view, DualMetrics) and view.telemetry is self.telemetry

    def _page(self) -> Response:
        answer = answer_scrape(self.telemetry, request.environ)
        return Response(answer.chunks, answer.status, answer.headers)


def rule_of(environ: Environ) -> str | None:
    """The URL rule that matched, as the app wrote it. None for a 404, 405 or redirect by Flask's router.

    Werkzeug documents this environ key (``Request(populate_request=True)``), and reading it is several times
    faster than ``flask.request``. Flask empties it before an exception that it propagates reaches the
    middleware.
    """
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return rule.rule if rule is not None else environ.get(RULE_KEY)


def note_exception(app: Flask, exception: BaseException, **_: object) -> None:
    """Keep the type and the rule of an exception that Flask propagates or answers with a 500."""
    set_error(request.environ, exception)
    if request.url_rule is not None:
        request.environ[RULE_KEY] = request.url_rule.rule
