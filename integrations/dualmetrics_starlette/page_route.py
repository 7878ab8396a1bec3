"""The metrics page as a route of a Starlette app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute

from dualmetrics.asgi import REST, Scope, metrics_app
from dualmetrics.middleware import route_taken_error, warn_of_hidden_route

if TYPE_CHECKING:
    from dualmetrics import Telemetry


def mount_page(app: Starlette, telemetry: Telemetry, templates: Callable[[], Iterable[str]]) -> None:
    """Insert the route before any that would hide it, such as a catch-all route or a mount at the root.

    ``templates`` returns the templates of all routes of the app. Does nothing if the page of this Telemetry
    is mounted. Raises SettingsError if a route has the metrics path.
    """
    path = telemetry.settings.prometheus_path
    page = metrics_app(telemetry)
    if any(getattr(route, "endpoint", None) == page for route in app.routes):
        return
    taken = taken_template(path, templates())
    if taken is not None:
        raise route_taken_error(telemetry, taken)
    route = PageRoute(path, page, name="dualmetrics", include_in_schema=False)
    route.warn_of_others = OtherRoutes(app, telemetry, templates).warn
    app.router.routes.insert(page_index(path, app.router.routes), route)


class PageRoute(Route):
    """A route that compares the end of the path before it tries its pattern.

    It stands first and is asked at every request, so rejecting all other paths must be cheap.
    """

    warn_of_others: Callable[[], None]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for the page."""
        if not scope["path"].endswith(self.path):
            return Match.NONE, {}
        self.warn_of_others()
        return super().matches(scope)


class OtherRoutes:
    """Looks for routes that were added after the page, and that the page hides."""

    def __init__(self, app: Starlette, telemetry: Telemetry, templates: Callable[[], Iterable[str]]) -> None:
        self._app = app
        self._telemetry = telemetry
        self._templates = templates
        self._known = 0

    def warn(self) -> None:
        """Log once that there is such a route. Looks only if the number of routes has changed."""
        number = len(self._app.router.routes)
        if number != self._known:
            self._known = number
            path = self._telemetry.settings.prometheus_path
            others = [template for template in self._templates() if template in (path, path + REST)]
            if len(others) > 1:  # ours is one
                warn_of_hidden_route(self._telemetry, others[-1])


def taken_template(path: str, templates: Iterable[str]) -> str | None:
    """The template among these that has the metrics path, also as a mount."""
    return next((template for template in templates if template in (path, path + REST)), None)


def page_index(path: str, routes: Sequence[BaseRoute]) -> int:
    """The index of the first route that matches ``path`` or may match it. Routes are tried in order."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for index, route in enumerate(routes):
        if not isinstance(route, (Route, WebSocketRoute, Mount)) or route.matches(scope)[0] != Match.NONE:
            return index
    return len(routes)
