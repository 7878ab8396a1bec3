"""Metrics for Pyramid: ``config.include("dualmetrics_pyramid")``, or ``DualMetrics(config, ...)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualmetrics.middleware import MiddlewareOptions, route_taken_error, serves_page, telemetry_for
from dualmetrics.wsgi import Environ, MetricsMiddleware, set_route

try:
    from pyramid.config import Configurator
    from pyramid.events import ApplicationCreated, BeforeTraversal, NewResponse
    from pyramid.exceptions import PredicateMismatch
except ImportError as error:
    raise ImportError('dualmetrics_pyramid needs Pyramid: pip install "dualmetrics[pyramid]"') from error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "includeme", "set_route"]

PATTERN_KEY = "dualmetrics_pyramid.pattern"


class DualMetrics:
    """Records the requests of the app that the configurator makes, and answers the metrics path.

    It stands outside of all tweens and of the execution policy. ``telemetry`` is the `Telemetry` to record
    with. Without it, ``settings`` are passed to `dualmetrics.configure`. ``serve_metrics=False`` leaves the
    metrics path to the app. Raises SettingsError for a bad setting, and, when the app is made, for a metrics
    path that a route of the app has.
    """

    def __init__(
        self,
        config: Configurator,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        self._options = MiddlewareOptions.of(settings, serve_metrics)
        self.telemetry = telemetry_for(telemetry, settings)
        config.add_subscriber(self._wrap, ApplicationCreated)
        add_noters(config)

    def _wrap(self, event: ApplicationCreated) -> None:
        serve_metrics = self._options.serve_metrics and serves_page(self.telemetry)
        if serve_metrics:
            self._refuse_taken_path(event.app)
        policy = event.app.execution_policy

        def execute(environ: Environ, router: Any) -> MetricsMiddleware:
            return middleware

        def app(environ: Environ, start_response: Any) -> Any:
            return policy(environ, event.app)(environ, start_response)

        middleware = MetricsMiddleware(
            app, telemetry=self.telemetry, route_namer=pattern_in, serve_metrics=serve_metrics
        )
        event.app.execution_policy = execute  # what it returns is called with environ and start_response

    def _refuse_taken_path(self, app: Any) -> None:
        path = self.telemetry.settings.prometheus_path
        if has_pattern(app, path):
            raise route_taken_error(self.telemetry, path)


def includeme(config: Configurator) -> None:
    """Record the requests of an app: ``config.include`` calls this."""
    DualMetrics(config)


def add_noters(config: Configurator) -> None:
    """Have the apps of a configurator keep the pattern of the route of each request."""
    config.add_subscriber(note_pattern, BeforeTraversal)
    config.add_subscriber(forget_refused, NewResponse)


def has_pattern(app: Any, path: str) -> bool:
    """Whether a route of the app has this template."""
    routes = app.routes_mapper.get_routes() if app.routes_mapper is not None else ()
    return any(template_of_pattern(route.pattern) == path for route in routes)


def note_pattern(event: BeforeTraversal) -> None:
    """Keep the pattern of the route that matched."""
    route = getattr(event.request, "matched_route", None)
    if route is not None:
        event.request.environ[PATTERN_KEY] = route.pattern


def forget_refused(event: NewResponse) -> None:
    """Forget the route if none of its views accepts the request, for example for its method."""
    if isinstance(getattr(event.request, "exception", None), PredicateMismatch):
        event.request.environ[PATTERN_KEY] = None


def pattern_in(environ: Environ) -> str | None:
    """The template of the route that took a request: the `RouteNamer`."""
    pattern = environ.get(PATTERN_KEY)
    return template_of_pattern(pattern) if pattern is not None else None


def template_of_pattern(pattern: str) -> str:
    """Pyramid lets apps leave out the slash at the start of a pattern."""
    return "/" + pattern.lstrip("/")
