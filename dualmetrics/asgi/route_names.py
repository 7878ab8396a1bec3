"""Finds out how the framework of an app names its routes, so that the middleware need not know any framework.

A package for a framework has an entry point in the group ``dualmetrics_routes``. Its name is the framework's
top-level package. Its value is a function that takes an app and returns a `RouteNamer` for it, or None if the
object is not an app of this framework.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from dualmetrics.asgi.types import CachingRouteNamer, RouteNamer, Scope
from dualmetrics.http.marker import MARKER_KEY, RequestMarker, mount_prefix

ENTRY_POINT_GROUP = "dualmetrics_routes"

MAX_LAYERS = 64
"""How many layers of middleware are searched for the app inside."""


def find_route_namer(scope: Scope, app: object) -> RouteNamer:
    """Return the `RouteNamer` for the requests to ``app``.

    If an app of a framework has called the middleware, ``scope["app"]`` is that app. Otherwise it is searched
    inside ``app``: middleware keeps the app that it wraps in the attribute ``app`` by convention. If it is
    not there either, it is looked up in the scope of each request when the request has ended.
    """
    for candidate in (scope.get("app"), *wrapped_apps(app)):
        namer = route_namer_for(candidate)
        if namer is not None:
            return namer
    return DeferredNamer()


def wrapped_apps(app: object) -> Iterator[object]:
    """Iterate over ``app`` and the apps that it wraps."""
    for _ in range(MAX_LAYERS):
        if app is None:
            return
        yield app
        app = getattr(app, "app", None)


def route_namer_for(app: object) -> RouteNamer | None:
    """Return the `RouteNamer` for an app of a known framework, else None.

    Raises what loading the package for the framework raises.
    """
    for kind in type(app).__mro__:
        entry_point = _entry_points().get(kind.__module__.partition(".")[0])
        if entry_point is not None:
            make_namer: Callable[[object], RouteNamer | None] = entry_point.load()
            return make_namer(app)
    return None


def as_caching_namer(namer: RouteNamer) -> CachingRouteNamer:
    """Return ``namer`` itself if it is a `CachingRouteNamer`, else an `UncachedNamer` around it."""
    return cast("CachingRouteNamer", namer) if hasattr(namer, "check_for") else UncachedNamer(namer)


def name_no_route(scope: Scope, path: str) -> None:
    """Return None: the `RouteNamer` if no other one can be found."""


class UncachedNamer(functools.partial["str | None"]):
    """A `CachingRouteNamer` that calls a `RouteNamer` for every request.

    It is a partial, because a call of one runs no Python code of its own.
    """

    generation: object = None

    def check_for(self, scope: Scope) -> None:
        """Return None: nothing is remembered."""


class DeferredNamer:
    """Looks up the app in the scope when a request has ended, and remembers the `RouteNamer` of each app.

    Something between the middleware and that app may have mounted it, so the prefix is added.
    """

    def __init__(self) -> None:
        self._namers: dict[int, tuple[object, RouteNamer | None]] = {}

    def __call__(self, scope: Scope, path: str) -> str | None:
        """Return the template of the route, or None if no app of a known framework is found."""
        app = scope.get("app")
        if app is None:
            return None
        if id(app) not in self._namers:
            self._namers[id(app)] = app, route_namer_for(app)
        _, namer = self._namers[id(app)]
        template = namer(scope, path) if namer else None
        return _prefix_inside(scope) + template if template is not None else None


def _prefix_inside(scope: Scope) -> str:
    """The part of the root path that was added inside the middleware and outside of the app.

    The mounts of Starlette change the root path, and keep that of the app in ``app_root_path``.
    """
    marker: RequestMarker | None = scope.get(MARKER_KEY)
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    if marker is None or not scope["path"].startswith(root):  # the app tells the prefix of a proxy
        return ""
    return mount_prefix(marker, None, root)


@functools.cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=ENTRY_POINT_GROUP)}
