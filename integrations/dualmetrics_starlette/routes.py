"""Which route of an app took a request.

After a request, its scope holds the matched endpoint, but not the full template of the route: the prefixes of
mounts and included routers are stored elsewhere, or as raw values. So the routes of the app are walked to
learn which full templates lead to each endpoint. The path has to match the template, because routes may
change while the app runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starlette.applications import Starlette
from starlette.routing import Router

from dualmetrics.asgi import REST, RouteNamer, Scope, is_recorded_by
from dualmetrics_starlette.endpoints import Candidates, group_by_target, sole_templates
from dualmetrics_starlette.route_walk import Way, router_of, walk
from dualmetrics_starlette.stacks import watch_router, watched_namer
from dualmetrics_starlette.template import Template

MAX_WALKS = 1024
"""How often the routes are walked again for a request that no known route explains."""


def routes(app: object) -> RouteNamer | None:
    """The namer for the routes of ``app``. None if it is no app of Starlette or FastAPI, and no router.

    This is the entry point ``starlette`` of the group ``dualmetrics_routes``.
    """
    return Routes.of(app) if isinstance(app, (Starlette, Router)) else None


def method_of(scope: Scope) -> str:
    """The method of a request. The handshake of a websocket is a GET request, and its scope has no method."""
    method: str = scope.get("method", "GET")
    return method


class Routes:
    """A `CachingRouteNamer` that finds the template by the endpoint in the scope.

    A request that no known route explains makes it walk the routes again, so it also knows routes that were
    added or replaced later.
    """

    knows_outer_mounts = True
    """It names the mounts outside by their templates, as far as Starlette has made them."""

    def __init__(self, app: Starlette | Router) -> None:
        self._app = app
        self._walks_left = MAX_WALKS
        self.walk()

    @classmethod
    def of(cls, app: Starlette | Router) -> Routes:
        """The routes of an app. There is one object for each app."""
        known = watched_namer(router_of(app))
        return known if isinstance(known, cls) else cls(app)

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The template of the route that took this request; None if none did."""
        own = self._own_template(scope, path)
        outside = self._router_outside(scope)
        if own is None or outside is None:
            return own
        full_path = scope["path"].removeprefix(scope.get("app_root_path", ""))
        template = Routes.of(outside)(scope, full_path)
        if template is not None and template.endswith(REST):
            return template.removesuffix(REST) + own
        return template or own

    def _router_outside(self, scope: Scope) -> Router | None:
        """The router of an app in which this app is mounted, and which is not recorded itself."""
        first = scope.get("router")  # the first router puts itself into the scope
        if first is router_of(self._app) or not isinstance(first, Router) or not is_recorded_by(scope, self):
            return None
        return first

    def _own_template(self, scope: Scope, path: str) -> str | None:
        if scope.get("endpoint") is None:
            return None
        template = self._find(scope, path)
        if template is None and not self._is_mount(scope):
            if self._walks_left:
                self._walks_left -= 1
                self.walk()
            template = self._find(scope, path) or self._guess(scope, path)
        return template.text if template is not None and template.accepts(method_of(scope)) else None

    def _find(self, scope: Scope, path: str) -> Template | None:
        """The template of the matched route, if the path matches it."""
        sole = self._sole_template(scope)
        if sole is not None and sole.matches(path):
            return sole
        candidates = self._candidates(scope)
        if candidates is not None and not candidates.templates:
            return None
        known = candidates.matching(path) if candidates is not None else []
        found = known or [template for template in self._opaque if template.matches(path)]
        return next((each for each in found if each.accepts(method_of(scope))), found[0] if found else None)

    def _guess(self, scope: Scope, path: str) -> Template | None:
        """The template for a router that was not watched yet, or for a path that was rewritten inside."""
        if not self._is_mount(scope):
            return self._sole_template(scope)
        templates = (way.template for way in self._ways if way.template is not None)
        method = method_of(scope)
        return next((each for each in templates if each.matches(path) and each.accepts(method)), None)

    def _sole_template(self, scope: Scope) -> Template | None:
        """The template of the matched route, if there is only one, and the method is served."""
        method = method_of(scope)
        by_route = self._sole.get((id(scope.get("route")), method))
        return by_route or self._sole.get((id(scope.get("endpoint")), method))

    def _candidates(self, scope: Scope) -> Candidates | None:
        """All templates of the matched route or endpoint; None if it is not known."""
        by_route = self._by_route.get(id(scope.get("route")))
        return by_route or self._by_endpoint.get(id(scope.get("endpoint")))

    def _is_mount(self, scope: Scope) -> bool:
        """Whether what matched last is a mounted app with routes, none of which matched."""
        candidates = self._candidates(scope)
        return candidates is not None and not candidates.templates

    def check_for(self, scope: Scope) -> Callable[[str], object] | None:
        """The check of the only template that leads to the endpoint or route; None if there are several."""
        sole = self._sole_template(scope)
        return sole.check if sole is not None and self._router_outside(scope) is None else None

    def templates(self) -> Iterator[str]:
        """The templates of all routes as they are now."""
        return (way.template.text for way in walk(self._app.routes) if way.template is not None)

    def walk(self) -> None:
        """Learn the routes as they are now."""
        watch_router(router_of(self._app), self)
        ways = list(walk(self._app.routes))
        for way in ways:
            if way.router is not None:
                watch_router(way.router)
        self._learn(ways)

    def _learn(self, ways: list[Way]) -> None:
        self._ways = ways
        self._opaque = [way.template for way in ways if way.template is not None and way.opaque]
        self._by_endpoint = group_by_target((way.endpoint, way.template) for way in ways)
        self._by_route = group_by_target((way.route, way.template) for way in ways if way.route is not None)
        self._sole = sole_templates(self._by_route) | sole_templates(self._by_endpoint)
        self.generation = object()
