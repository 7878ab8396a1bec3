"""Walks all routes of an app, through its mounts and included routers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from re import Pattern
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Router

from dualmetrics.asgi import wrapped_apps
from dualmetrics.middleware import METHODS
from dualmetrics_starlette.included_routers import expand_included
from dualmetrics_starlette.template import REST, Prefix, Template

MAX_DEPTH = 32
"""Mounts inside mounts that are walked. A router that contains itself would have no end."""

ANY_PATH = re.compile("/(?P<path>.*)")


class Way(NamedTuple):
    """A way to an endpoint, which the scope of a request may name.

    ``template`` is None for a mounted app that has routes of its own: they are found as well. ``route`` is
    what newer versions of FastAPI and Starlette put into the scope. ``opaque`` marks a mounted app that shows
    no routes.
    """

    endpoint: object
    template: Template | None
    route: object = None
    opaque: bool = False


def walk(routes: Iterable[BaseRoute], prefix: Prefix = Prefix()) -> Iterator[Way]:  # noqa: B008 - immutable
    """All endpoints below ``routes``, in the order in which the framework tries them."""
    for route in expand_included(routes):
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            methods = _methods(getattr(route, "methods", None), endpoint)
            template = Template(
                prefix.text + route.path_format, (*prefix.patterns, route.path_regex), methods
            )
            yield Way(endpoint, template, getattr(route, "original_route", route))
        elif hasattr(route, "host"):
            yield from _walk_app(route.app, prefix.join("", None), ANY_PATH)
        elif hasattr(route, "app"):
            inner = prefix.join(route.path_format.removesuffix(REST), route.path_regex)
            yield from _walk_app(route.app, inner, None)


def _walk_app(app: object, prefix: Prefix, last: Pattern[str] | None) -> Iterator[Way]:
    for layer in wrapped_apps(app):
        if isinstance(layer, (Starlette, Router)):
            yield Way(app, None)
            if prefix.depth < MAX_DEPTH:
                yield from walk(layer.routes, prefix)
            return
    patterns = prefix.patterns if last is None else (*prefix.patterns, last)
    yield Way(app, Template(prefix.text + REST, patterns), opaque=True)


def _methods(methods: Iterable[str] | None, endpoint: object) -> frozenset[str] | None:
    """The methods that are served. The route of an HTTPEndpoint accepts all; the class answers 405 itself."""
    if methods:
        return frozenset(methods)
    if not (inspect.isclass(endpoint) and issubclass(endpoint, HTTPEndpoint)):
        return None
    served = {method for method in METHODS if hasattr(endpoint, method.lower())}
    return frozenset(served | {"HEAD"} if "GET" in served else served)
