"""The full templates of all routes of an app, with what a path must match to go there."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from re import Pattern
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Router

from dualmetrics.asgi.route_names import wrapped_apps
from dualmetrics.http.semantic_conventions import METHODS

DEPTH = 32
"""Mounts inside mounts that are walked; a router that contains itself has no end."""

REST = "/{path}"
"""What stands for the paths of an app that shows no routes: static files, WSGI."""

ANYTHING = re.compile("/(?P<path>.*)")


class Template(NamedTuple):
    """One way to an endpoint: through mounts to a route, or to a mounted app that shows no routes."""

    text: str
    patterns: tuple[Pattern[str], ...]
    methods: frozenset[str] | None = None

    def takes(self, method: str) -> bool:
        """Whether the endpoint serves the method. If not, the answer was a 405."""
        return self.methods is None or method in self.methods

    def matches(self, path: str) -> bool:
        """Whether ``path`` goes this way."""
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is None:
                return False
            path = "/" + match.groupdict().get("path", "")
        return True


class Found(NamedTuple):
    """An endpoint that a scope may name, and a way to it; None for what only leads on to its own routes.

    ``route`` is what newer scopes name too.
    """

    endpoint: object
    template: Template | None
    route: object = None
    opaque: bool = False


class Prefix(NamedTuple):
    """The mounts on the way."""

    text: str = ""
    patterns: tuple[Pattern[str], ...] = ()
    depth: int = 0

    def join(self, text: str, pattern: Pattern[str] | None) -> Prefix:
        """One mount further in. A host is one that adds nothing to the path."""
        patterns = self.patterns if pattern is None else (*self.patterns, pattern)
        return Prefix(self.text + text, patterns, self.depth + 1)


TOP = Prefix()


def walk(routes: Iterable[BaseRoute], prefix: Prefix = TOP) -> Iterator[Found]:
    """All endpoints below ``routes``, in the order in which the framework tries them."""
    for route in _expanded(routes):
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            pattern, methods = route.path_regex, _methods(getattr(route, "methods", None), endpoint)
            text = prefix.text + route.path_format
            template = Template(text, (*prefix.patterns, pattern), methods)
            yield Found(endpoint, template, getattr(route, "original_route", route))
        elif hasattr(route, "host"):
            yield from _walk_app(route.app, prefix.join("", None), ANYTHING)
        elif hasattr(route, "app"):
            inner = prefix.join(route.path_format.removesuffix(REST), route.path_regex)
            yield from _walk_app(route.app, inner, None)


def _walk_app(app: object, prefix: Prefix, last: Pattern[str] | None) -> Iterator[Found]:
    for layer in wrapped_apps(app):
        if isinstance(layer, (Starlette, Router)):
            yield Found(app, None)
            if prefix.depth < DEPTH:
                yield from walk(layer.routes, prefix)
            return
    patterns = prefix.patterns if last is None else (*prefix.patterns, last)
    yield Found(app, Template(prefix.text + REST, patterns), opaque=True)


def _expanded(routes: Iterable[BaseRoute]) -> Iterable[Any]:
    """FastAPI keeps included routers whole, and lists what they amount to; older ones copied the routes."""
    expand = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    return expand(routes)


def _methods(methods: Iterable[str] | None, endpoint: object) -> frozenset[str] | None:
    """The methods that are served. A class of handlers takes every method, and answers 405 by itself."""
    if methods:
        return frozenset(methods)
    if not (inspect.isclass(endpoint) and issubclass(endpoint, HTTPEndpoint)):
        return None
    served = {method for method in METHODS if hasattr(endpoint, method.lower())}
    return frozenset(served | {"HEAD"} if "GET" in served else served)
