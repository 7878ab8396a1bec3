"""Metrics for Flask: ``DualMetrics(app)``, or ``DualMetrics().init_app(app)`` in an app factory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.config.settings import SettingsError
from dualmetrics.http.semantic_conventions import error_type
from dualmetrics.middleware import ROUTE_TAKEN_HINT, serves_page, telemetry_for
from dualmetrics.wsgi import MetricsMiddleware, set_route
from dualmetrics.wsgi.page import page_request
from dualmetrics.wsgi.request import ERROR_KEY, ROUTE_KEY, Environ

try:
    from flask import Flask, Response, got_request_exception, request
except ImportError as error:
    raise ImportError('dualmetrics_flask needs Flask: pip install "dualmetrics[flask]"') from error

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

__all__ = ["DualMetrics", "set_route"]

ENDPOINT = "dualmetrics"


class DualMetrics:
    """Records the app's requests, and gives it the metrics page as a route of its own.

    ``telemetry`` is the `Telemetry` to record with; without one ``settings`` go to `dualmetrics.configure`.
    ``route=False`` adds no route. Raises SettingsError for bad settings, and where the app has a route on the
    metrics path already.
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
        """Record and show the metrics of ``app``; at any time, and for any number of apps."""
        mounted = self._route and self._mount(app)
        answer = self._route and not mounted
        middleware = MetricsMiddleware(app.wsgi_app, telemetry=self.telemetry, route=rule_of, answer=answer)
        app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask's own way to add middleware
        got_request_exception.connect(note_exception, app)
        app.extensions[ENDPOINT] = self

    def _mount(self, app: Flask) -> bool:
        """Add the route. False where the app has served a request: Flask takes no more routes then."""
        path = self.telemetry.settings.prometheus_path
        for rule in app.url_map.iter_rules():
            if rule.rule == path and "GET" in (rule.methods or {"GET"}):
                if self._is_ours(app, rule.endpoint):
                    return True
                raise SettingsError(
                    f"prometheus_path={path!r}: taken by the app's route {rule.endpoint!r}; "
                    f"{ROUTE_TAKEN_HINT}"
                )
        try:
            endpoint = f"{ENDPOINT} {path}" if ENDPOINT in app.view_functions else ENDPOINT
            app.add_url_rule(path, endpoint, self._page, methods=["GET"])
        except AssertionError:
            return False
        return True

    def _is_ours(self, app: Flask, endpoint: str) -> bool:
        view = getattr(app.view_functions.get(endpoint), "__self__", None)
        return isinstance(view, DualMetrics) and view.telemetry is self.telemetry

    def _page(self) -> Response:
        answer = self.telemetry.page.respond(page_request(request.environ))
        return Response(answer.chunks, answer.status, answer.headers)


def rule_of(environ: Environ) -> str | None:
    """The matched URL rule as it was written; None for a 404, 405 or redirect of Flask's own."""
    served = environ.get("werkzeug.request")
    rule = getattr(served, "url_rule", None)
    return rule.rule if rule is not None else None


def note_exception(app: Flask, exception: BaseException, **_: object) -> None:
    """Keep what Flask forgets before an exception that it propagates, or answers with a 500, reaches us."""
    environ = request.environ
    environ[ERROR_KEY] = error_type(exception)
    if request.url_rule is not None:
        environ.setdefault(ROUTE_KEY, request.url_rule.rule)
