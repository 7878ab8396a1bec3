"""The metrics page as a route of a Flask app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from dualmetrics.middleware import route_taken_error, warn_if_bypassed, warn_of_hidden_route
from dualmetrics.wsgi import answer_scrape

if TYPE_CHECKING:
    from dualmetrics import Telemetry

ENDPOINT = "dualmetrics"

BYPASSED = (
    "something kept the app's wsgi_app before DualMetrics was added, as connexion's FlaskApp does, for which "
    "there is dualmetrics_connexion; else also put dualmetrics.asgi.MetricsMiddleware or "
    "dualmetrics.wsgi.MetricsMiddleware around what the server calls"
)


class PageView:
    """The view function of the page."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry

    def __call__(self) -> Response:
        """Answer a scrape."""
        path = self.telemetry.settings.prometheus_path
        if request.environ["PATH_INFO"] != path:
            # Werkzeug serves //metrics, too, past a proxy that guards /metrics.
            request.url_rule = None
            raise NotFound
        warn_if_bypassed(self.telemetry, BYPASSED)
        self._warn_of_others(path)
        answer = answer_scrape(self.telemetry, request.environ)
        return Response(answer.chunks, answer.status, answer.headers)

    def _warn_of_others(self, path: str) -> None:
        """Log once that the app has another route for this path, which was added later."""
        for rule in current_app.url_map.iter_rules():
            if rule.rule == path and not isinstance(current_app.view_functions.get(rule.endpoint), PageView):
                warn_of_hidden_route(self.telemetry, rule.endpoint)


def rules_for(app: Flask, path: str) -> Iterator[Rule]:
    """The rules of an app that are exactly this path, and serve GET."""
    return (
        rule for rule in app.url_map.iter_rules() if rule.rule == path and "GET" in (rule.methods or {"GET"})
    )


def add_page(app: Flask, telemetry: Telemetry) -> bool:
    """Add the route. False if Flask cannot: the middleware has to answer.

    Flask accepts no more routes after the first request. With host or subdomain matching, a route is for one
    host or subdomain. Raises SettingsError if a route has the metrics path.
    """
    path = telemetry.settings.prometheus_path
    for rule in rules_for(app, path):
        view = app.view_functions.get(rule.endpoint)
        if isinstance(view, PageView) and view.telemetry is telemetry:
            return True
        raise route_taken_error(telemetry, rule.endpoint)
    if app.url_map.host_matching or app.subdomain_matching:
        return False
    try:
        endpoint = f"{ENDPOINT} {path}" if ENDPOINT in app.view_functions else ENDPOINT
        app.add_url_rule(path, endpoint, PageView(telemetry), methods=["GET"])
    except AssertionError:
        return False
    return True
