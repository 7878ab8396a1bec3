"""Walks all routes of an app, through its mounts and included routers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from re import Pattern
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Router

from dualmetrics.asgi import REST, wrapped_apps
from dualmetrics.middleware import METHODS
from dualmetrics_starlette.included_routers import expand_included
from dualmetrics_starlette.template import Prefix, Template

MAX_DEPTH = 32
"""Mounts inside mounts that are walked. A router that contains itself would have no end."""

ANY_PATH = re.compile("/(?P<path>.*)")


class Way(NamedTuple):
    """A way to an endpoint, which the scope of a request may name.

    ``template`` is None for a mounted app that has routes of its own, in ``router``: they are found as well.
    ``route`` is what newer versions of FastAPI and Starlette put into the scope. ``opaque`` marks a mounted
    app that shows no routes.
    """

    endpoint: object
    template: Template | None
    route: object = None
    opaque: bool = False
    router: Router | None = None


def walk(routes: Iterable[BaseRoute], prefix: Prefix = Prefix()) -> Iterator[Way]:  # noqa: B008 - immutable
    """All endpoints below ``routes``, in the order in which the framework tries them."""
    for route in expand_included(routes):
        endpoint, app = getattr(route, "endpoint", None), getattr(route, "app", None)
        if endpoint is not None:
            yield _way_to_endpoint(route, endpoint, prefix)
        elif app is not None and getattr(route, "path_format", None) is not None:
            inner = prefix.join(route.path_format.removesuffix(REST), route.path_regex)
            yield from _walk_app(app, inner, None)
        elif app is not None:
            yield from _walk_app(app, prefix.join("", None), ANY_PATH)


def _way_to_endpoint(route: Any, endpoint: object, prefix: Prefix) -> Way:
    original = getattr(route, "original_route", route)
    if getattr(route, "path_format", None) is None:  # a class of the app's own, which may match by anything
        path = getattr(route, "path", None)
        text = path if isinstance(path, str) and path.startswith("/") else REST
        return Way(endpoint, Template(prefix.text + text, (*prefix.patterns, ANY_PATH)), original)
    methods = _methods(getattr(route, "methods", None), endpoint)
    template = Template(prefix.text + route.path_format, (*prefix.patterns, route.path_regex), methods)
    return Way(endpoint, template, original)


def _walk_app(app: object, prefix: Prefix, last: Pattern[str] | None) -> Iterator[Way]:
    for layer in wrapped_apps(app):
        if isinstance(layer, (Starlette, Router)):
            yield Way(app, None, router=router_of(layer))
            if prefix.depth < MAX_DEPTH:
                yield from walk(layer.routes, prefix)
            return
    patterns = prefix.patterns if last is None else (*prefix.patterns, last)
    yield Way(app, Template(prefix.text + REST, patterns), opaque=True)


def router_of(app: Starlette | Router) -> Router:
    """The router of an app, which may be a router itself."""
    return app.router if isinstance(app, Starlette) else app


def _methods(methods: Iterable[str] | None, endpoint: object) -> frozenset[str] | None:
    """The methods that are served. The route of an HTTPEndpoint accepts all; the class answers 405 itself."""
    if methods:
        return frozenset(methods)
    if not (inspect.isclass(endpoint) and issubclass(endpoint, HTTPEndpoint)):
        return None
    if endpoint.dispatch is not HTTPEndpoint.dispatch:
        return None  # it serves whatever it likes
    served = {method for method in METHODS if hasattr(endpoint, method.lower())}
    return frozenset(served | {"HEAD"} if "GET" in served else served)
