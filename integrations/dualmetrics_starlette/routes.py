"""Which route of an app took a request.

After a request, its scope holds the matched endpoint, but not the full template of the route: the prefixes of
mounts and included routers are stored elsewhere, or as raw values. So the routes of the app are walked once
to learn which full templates lead to each endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import Router

from dualmetrics.asgi import RouteNamer, Scope
from dualmetrics_starlette.endpoints import Candidates, CandidatesById, certain_templates, group_by_target
from dualmetrics_starlette.route_walk import walk
from dualmetrics_starlette.template import Template

MAX_UNKNOWN = 1024
"""Endpoints outside of all known routes for which the routes are walked again."""


def routes(app: object) -> RouteNamer | None:
    """The namer for the routes of ``app``. None if it is no app of Starlette or FastAPI, and no router.

    This is the entry point ``starlette`` of the group ``dualmetrics_routes``.
    """
    return Routes(app) if isinstance(app, (Starlette, Router)) else None


class Routes:
    """A `CachingRouteNamer` that finds the template by the endpoint in the scope.

    An unknown endpoint makes it walk the routes again, so it also knows routes that were added later.
    """

    def __init__(self, app: Starlette | Router) -> None:
        self._app = app
        self._by_endpoint: CandidatesById = {}
        self._by_route: CandidatesById = {}  # keeps the routes alive, whose ids are keys of `_certain`
        self._unknown: CandidatesById = {}
        self._opaque: tuple[Template, ...] = ()
        self._certain: dict[tuple[int, str], str] = {}
        self.generation = object()

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The template of the route that took this request; None if none did."""
        endpoint, method = scope.get("endpoint"), scope["method"]
        return self._certain.get((id(endpoint), method)) or self._find(scope, endpoint, method, path)

    def certain(self, scope: Scope) -> bool:
        """Whether the endpoint or the route determines the template, whatever the path."""
        targets = scope.get("endpoint"), scope.get("route")
        return any((id(target), scope["method"]) in self._certain for target in targets)

    def templates(self) -> Iterator[str]:
        """The templates of all routes as they are now."""
        return (way.template.text for way in walk(self._app.routes) if way.template is not None)

    def _find(self, scope: Scope, endpoint: object, method: str, path: str) -> str | None:
        """The template for an endpoint that several routes share, or that is not known yet."""
        if endpoint is None:
            return None
        by_route = self._certain.get((id(scope.get("route")), method))
        if by_route is not None:
            return by_route
        key = id(endpoint)
        candidates = self._by_endpoint.get(key) or self._unknown.get(key) or self._walk_again(endpoint)
        return candidates.choose(method, path)

    def _walk_again(self, endpoint: object) -> Candidates:
        """An endpoint of no route belongs to an app that shows none: the template of its mount is used."""
        if len(self._unknown) < MAX_UNKNOWN:
            self._walk()
            if id(endpoint) not in self._by_endpoint:
                self._unknown[id(endpoint)] = Candidates(endpoint, self._opaque, certain=False)
        return self._by_endpoint.get(id(endpoint)) or Candidates(endpoint, self._opaque, certain=False)

    def _walk(self) -> None:
        ways = list(walk(self._app.routes))
        self._opaque = tuple(way.template for way in ways if way.template and way.opaque)
        self._by_endpoint = group_by_target((way.endpoint, way.template) for way in ways)
        self._by_route = group_by_target((way.route, way.template) for way in ways if way.route is not None)
        self._certain = certain_templates(self._by_route) | certain_templates(self._by_endpoint)
        self.generation = object()
