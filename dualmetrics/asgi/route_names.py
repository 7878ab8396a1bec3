"""Which route of its framework took a request, for middleware that knows no framework.

Packages announce under the entry point group ``dualmetrics_routes``, by the name of the framework's top-level
package, a callable that takes an app and gives a `Name` for it, or None if the object is no app of theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from dualmetrics.asgi.types import CachingRouteNamer, RouteNamer, Scope

GROUP = "dualmetrics_routes"

DEPTH = 64
"""Layers of middleware that are looked through for the app inside."""


def find_route_namer(scope: Scope, app: object) -> RouteNamer:
    """A `Name` for the requests that arrive in this scope on their way to ``app``.

    The scope tells whose middleware is asked. Else the app is looked for behind the attribute ``app`` that
    middleware has by custom, else in each request's scope at its end.
    """
    for candidate in (scope.get("app"), *wrapped_apps(app)):
        name = route_namer_for(candidate)
        if name is not None:
            return name
    return DeferredNamer()


def wrapped_apps(app: object) -> Iterator[object]:
    """``app`` and what it wraps."""
    for _ in range(DEPTH):
        if app is None:
            return
        yield app
        app = getattr(app, "app", None)


def route_namer_for(app: object) -> RouteNamer | None:
    """The `Name` for an app of an announced framework. Raises what loading the announced package raises."""
    for kind in type(app).__mro__:
        announced = _announced().get(kind.__module__.partition(".")[0])
        if announced is not None:
            make: Callable[[object], RouteNamer | None] = announced.load()
            return make(app)
    return None


class UncachedNamer:
    """A `Name` that is asked at each request."""

    def __init__(self, name: RouteNamer) -> None:
        self.generation: object = None
        self._name = name

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The route's template."""
        return self._name(scope, path)

    def certain(self, scope: Scope) -> bool:
        """Never."""
        return False


def as_caching_namer(name: RouteNamer) -> CachingRouteNamer:
    """``name`` itself if it is a `CachingRouteNamer`."""
    return cast("CachingRouteNamer", name) if hasattr(name, "certain") else UncachedNamer(name)


class DeferredNamer:
    """Asks for the app that answered when the request has ended, and remembers what names it."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[object, RouteNamer | None]] = {}

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The route's template; None where nothing names it."""
        app = scope.get("app")
        if app is None:
            return None
        if id(app) not in self._names:
            self._names[id(app)] = app, route_namer_for(app)
        _, name = self._names[id(app)]
        return name(scope, path) if name else None


@functools.cache
def _announced() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
