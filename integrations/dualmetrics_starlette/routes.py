"""Which route of an app took a request.

A scope that a request has passed through holds the matched endpoint. It does not hold the route's template:
the prefixes of mounts and included routers are kept elsewhere, or as raw values. So the app's routes are
walked once, which gives for each endpoint the full templates that lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import Router

from dualmetrics.asgi_types import Name, Scope
from dualmetrics.conventions import METHODS
from dualmetrics_starlette.templates import Template, walk

REMEMBERED = 1024
"""Endpoints that are in no route, and for which the routes were walked once more."""


def routes(app: object) -> Name | None:
    """What names the routes of ``app``; None if it is neither an app of Starlette or FastAPI nor a router.

    This is the entry point ``starlette`` of the group ``dualmetrics_routes``.
    """
    return Routes(app) if isinstance(app, (Starlette, Router)) else None


class Ways(NamedTuple):
    """All templates that lead to ``endpoint``; ``certain`` if there is one only, whatever the path."""

    endpoint: object
    templates: tuple[Template, ...]
    certain: bool

    def name(self, method: str, path: str) -> str | None:
        """The template that the request took."""
        for template in self.templates:
            if template.takes(method) and (self.certain or template.matches(path)):
                return template.text
        return None


class Routes:
    """Finds the template by the endpoint in the scope. Routes that were added later are found as well."""

    def __init__(self, app: Starlette | Router) -> None:
        self._app = app
        self._known: dict[int, Ways] = {}
        self._strangers: dict[int, Ways] = {}
        self._opaque: tuple[Template, ...] = ()
        self._certain: dict[tuple[int, str], str] = {}

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The template of the route that took this request; None if none did."""
        endpoint = scope.get("endpoint")
        method = scope["method"]
        return self._certain.get((id(endpoint), method)) or self._decide(endpoint, method, path)

    def templates(self) -> Iterator[str]:
        """The templates of all routes as they are now."""
        return (found.template.text for found in walk(self._app.routes) if found.template is not None)

    def _decide(self, endpoint: object, method: str, path: str) -> str | None:
        if endpoint is None:
            return None
        key = id(endpoint)
        ways = self._known.get(key) or self._strangers.get(key) or self._look_again(endpoint)
        return ways.name(method, path)

    def _look_again(self, endpoint: object) -> Ways:
        """What is in no route belongs to an app that shows none, whose mount's template must do."""
        if len(self._strangers) < REMEMBERED:
            self._walk()
            if id(endpoint) not in self._known:
                self._strangers[id(endpoint)] = Ways(endpoint, self._opaque, certain=False)
        return self._known.get(id(endpoint)) or Ways(endpoint, self._opaque, certain=False)

    def _walk(self) -> None:
        ways: dict[int, tuple[object, list[Template]]] = {}
        opaque: list[Template] = []
        for found in walk(self._app.routes):
            templates = ways.setdefault(id(found.endpoint), (found.endpoint, []))[1]
            if found.template is not None:
                templates.append(found.template)
                opaque += [found.template] * found.opaque
        self._opaque = tuple(opaque)
        self._known = {
            key: Ways(endpoint, tuple(templates), certain=len(templates) == 1)
            for key, (endpoint, templates) in ways.items()
        }
        self._certain = {
            (key, method): each.templates[0].text
            for key, each in self._known.items()
            for method in METHODS
            if each.certain and each.templates[0].takes(method)
        }
