"""Which route of an app took a request.

A scope that a request has passed through holds the matched endpoint. It does not hold the route's template:
the prefixes of mounts and included routers are kept elsewhere, or as raw values. So the app's routes are
walked once, which gives for each endpoint the full templates that lead to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import Router

from dualmetrics.asgi.types import RouteNamer, Scope
from dualmetrics.http.semantic_conventions import METHODS
from dualmetrics_starlette.templates import Template, walk

REMEMBERED = 1024
"""Endpoints that are in no route, and for which the routes were walked once more."""


def routes(app: object) -> RouteNamer | None:
    """What names the routes of ``app``; None if it is neither an app of Starlette or FastAPI nor a router.

    This is the entry point ``starlette`` of the group ``dualmetrics_routes``.
    """
    return Routes(app) if isinstance(app, (Starlette, Router)) else None


class Ways(NamedTuple):
    """All templates that lead to ``target``; ``certain`` if there is one only, whatever the path."""

    target: object
    templates: tuple[Template, ...]
    certain: bool

    def name(self, method: str, path: str) -> str | None:
        """The template that the request took."""
        for template in self.templates:
            if template.takes(method) and (self.certain or template.matches(path)):
                return template.text
        return None


Table = dict[int, Ways]
"""The ways by the identity of their target."""


class Routes:
    """Finds the template by the endpoint in the scope. Routes that were added later are found as well."""

    def __init__(self, app: Starlette | Router) -> None:
        self._app = app
        self._endpoints: Table = {}
        self._routes: Table = {}
        self._strangers: Table = {}
        self._opaque: tuple[Template, ...] = ()
        self._certain: dict[tuple[int, str], str] = {}
        self.generation = object()  # see `Naming`

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The template of the route that took this request; None if none did."""
        endpoint, method = scope.get("endpoint"), scope["method"]
        return self._certain.get((id(endpoint), method)) or self._find(scope, endpoint, method, path)

    def certain(self, scope: Scope) -> bool:
        """Whether the endpoint or the route decides the template, whatever the path."""
        targets = scope.get("endpoint"), scope.get("route")
        return any((id(target), scope["method"]) in self._certain for target in targets)

    def templates(self) -> Iterator[str]:
        """The templates of all routes as they are now."""
        return (found.template.text for found in walk(self._app.routes) if found.template is not None)

    def _find(self, scope: Scope, endpoint: object, method: str, path: str) -> str | None:
        if endpoint is None:
            return None
        of_several = self._certain.get((id(scope.get("route")), method))  # routes of one endpoint
        return of_several or self._decide(endpoint, method, path)

    def _decide(self, endpoint: object, method: str, path: str) -> str | None:
        key = id(endpoint)
        ways = self._endpoints.get(key) or self._strangers.get(key) or self._look_again(endpoint)
        return ways.name(method, path)

    def _look_again(self, endpoint: object) -> Ways:
        """What is in no route belongs to an app that shows none, whose mount's template must do."""
        if len(self._strangers) < REMEMBERED:
            self._walk()
            if id(endpoint) not in self._endpoints:
                self._strangers[id(endpoint)] = Ways(endpoint, self._opaque, certain=False)
        return self._endpoints.get(id(endpoint)) or Ways(endpoint, self._opaque, certain=False)

    def _walk(self) -> None:
        every = list(walk(self._app.routes))
        self._opaque = tuple(found.template for found in every if found.template and found.opaque)
        self._endpoints = table((found.endpoint, found.template) for found in every)
        self._routes = table((found.route, found.template) for found in every if found.route is not None)
        self._certain = certainties(self._routes) | certainties(self._endpoints)
        self.generation = object()


def table(found: Iterable[tuple[object, Template | None]]) -> Table:
    """The ways to each target."""
    ways: dict[int, tuple[object, list[Template]]] = {}
    for target, template in found:
        templates = ways.setdefault(id(target), (target, []))[1]
        if template is not None:
            templates.append(template)
    return {
        key: Ways(target, tuple(templates), certain=len(templates) == 1)
        for key, (target, templates) in ways.items()
    }


def certainties(table: Table) -> dict[tuple[int, str], str]:
    """The one template of each target that has just one, for each method that it takes."""
    return {
        (key, method): ways.templates[0].text
        for key, ways in table.items()
        for method in METHODS
        if ways.certain and ways.templates[0].takes(method)
    }
