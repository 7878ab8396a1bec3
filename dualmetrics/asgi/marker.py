"""What an app or an integration tells about a request, by its scope."""

from __future__ import annotations

from dualmetrics.asgi.types import Scope
from dualmetrics.http import marker


def set_route(scope: Scope, template: str) -> None:
    """Set the route of a request, such as ``/users/{id}``. It takes precedence over what the framework says.

    Pass the template and never the path: a client can request any path, and each one would be a new series.
    """
    marker.tell_route(scope, template)


def set_error(scope: Scope, exception: BaseException) -> None:
    """Record the type of an exception that the framework has turned into a response.

    Call it from the framework's hook for unhandled exceptions, with the scope of the request. The request is
    then recorded with ``error.type`` under the convention ``semconv``. An exception that reaches the
    middleware needs no call.
    """
    marker.tell_error(scope, exception)


def note_scope(scope: Scope, namer: object = None) -> None:
    """Tell that a router of the framework matches routes with this scope, and will put what matched into it.

    Middleware may hand on a copy of the scope, so the one that arrived need not have what matched. Routes of
    ``namer``, a `RouteNamer`, begin at the path of this scope: middleware may have rewritten the path.
    """
    for each in marker.markers(scope):
        each.seen = scope
        if namer is not None and each.namer is namer:
            each.path = path_without_root(scope)


def is_scope_changed(scope: Scope) -> bool:
    """Whether `note_scope` has to be called: this scope is a copy, or its path may have been rewritten."""
    innermost = scope.get(marker.MARKER_KEY)
    return innermost is not None and (innermost.seen is not scope or innermost.path is not scope.get("path"))


def is_recorded_by(scope: Scope, namer: object) -> bool:
    """Whether the middleware that records this request asks ``namer`` for the route.

    If not, it is middleware of an app outside, which adds the prefix of the mount.
    """
    innermost = next(marker.markers(scope), None)
    return innermost is not None and innermost.namer is namer


def path_without_root(scope: Scope) -> str:
    """Return the path without the root path of a proxy or mount, which newer servers include in it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path
