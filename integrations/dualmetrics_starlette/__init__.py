"""Metrics for Starlette and FastAPI: ``DualMetrics(app)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import MetricsMiddleware, metrics_app, set_route
from dualmetrics.asgi.types import Scope
from dualmetrics.config.settings import SettingsError
from dualmetrics.middleware import ROUTE_TAKEN_HINT, serves_page, telemetry_for

try:
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
except ImportError as error:
    raise ImportError(
        'dualmetrics_starlette needs Starlette: pip install "dualmetrics[starlette]"'
    ) from error

from dualmetrics_starlette.routes import Routes, routes
from dualmetrics_starlette.templates import REST

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

__all__ = ["DualMetrics", "routes", "set_route"]


class DualMetrics:
    """Records the app's requests, and gives it the metrics page as its first route.

    ``telemetry`` is the `Telemetry` to record with; without one ``settings`` go to `dualmetrics.configure`.
    ``route=False`` adds no route. Raises SettingsError for bad settings, and where the app has a route on the
    metrics path already. Added to an app that runs, it records from then on; but the lifespan that has begun
    does not tell it of the end, so the last counts leave at the interpreter's exit, if the server has one.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        telemetry: Telemetry | None = None,
        route: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        names = Routes(app)
        if route and serves_page(self.telemetry):
            self._mount(app, names)
        if app.middleware_stack is None:
            app.add_middleware(MetricsMiddleware, telemetry=self.telemetry, route=names, answer=False)
        else:  # it has started: Starlette refuses, but shows what it has built
            stack = app.middleware_stack
            app.middleware_stack = MetricsMiddleware(
                stack, telemetry=self.telemetry, route=names, answer=False
            )

    def _mount(self, app: Starlette, names: Routes) -> None:
        """Insert the route before any that would hide it, such as a catch-all or a mount at the root."""
        path = self.telemetry.settings.prometheus_path
        page = metrics_app(self.telemetry)
        if any(getattr(route, "endpoint", None) == page for route in app.routes):
            return
        taken = next((text for text in names.templates() if text in (path, path + REST)), None)
        if taken is not None:
            raise SettingsError(
                f"prometheus_path={path!r}: taken by the app's route {taken!r}; {ROUTE_TAKEN_HINT}"
            )
        route = PageRoute(path, page, name="dualmetrics", include_in_schema=False)
        app.router.routes.insert(place_of(path, app.router.routes), route)


class PageRoute(Route):
    """A route that may be asked at every request, and so says no to all other paths without a pattern."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for the page."""
        return super().matches(scope) if scope["path"].endswith(self.path) else (Match.NONE, {})


def place_of(path: str, routes: Sequence[BaseRoute]) -> int:
    """The index before the first route that takes ``path``, or may do so; routes are asked in turn."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for index, route in enumerate(routes):
        if not isinstance(route, (Route, WebSocketRoute, Mount)) or route.matches(scope)[0] != Match.NONE:
            return index
    return len(routes)
