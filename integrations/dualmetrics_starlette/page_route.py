"""The metrics page as a route of a Starlette app."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute

from dualmetrics.asgi import REST, Scope, metrics_app
from dualmetrics.middleware import route_taken_error

if TYPE_CHECKING:
    from dualmetrics import Telemetry


def mount_page(app: Starlette, telemetry: Telemetry, templates: Iterable[str]) -> None:
    """Insert the route before any that would hide it, such as a catch-all route or a mount at the root.

    ``templates`` are the templates of all routes of the app. Does nothing if the page of this Telemetry is
    mounted. Raises SettingsError if a route has the metrics path.
    """
    path = telemetry.settings.prometheus_path
    page = metrics_app(telemetry)
    if any(getattr(route, "endpoint", None) == page for route in app.routes):
        return
    taken = next((template for template in templates if template in (path, path + REST)), None)
    if taken is not None:
        raise route_taken_error(telemetry, taken)
    route = PageRoute(path, page, name="dualmetrics", include_in_schema=False)
    app.router.routes.insert(page_index(path, app.router.routes), route)


class PageRoute(Route):
    """A route that compares the end of the path before it tries its pattern.

    It stands first and is asked at every request, so rejecting all other paths must be cheap.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for the page."""
        return super().matches(scope) if scope["path"].endswith(self.path) else (Match.NONE, {})


def page_index(path: str, routes: Sequence[BaseRoute]) -> int:
    """The index of the first route that matches ``path`` or may match it. Routes are tried in order."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for index, route in enumerate(routes):
        if not isinstance(route, (Route, WebSocketRoute, Mount)) or route.matches(scope)[0] != Match.NONE:
            return index
    return len(routes)
