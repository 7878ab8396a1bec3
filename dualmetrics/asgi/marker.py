"""What an app or an integration tells about a request, by its scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dualmetrics.asgi.types import ASGIApp, Receive, Scope, Send
from dualmetrics.http import marker
from dualmetrics.http.marker import MARKER_KEY


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


def note_scopes(app: ASGIApp, namer: Callable[[], object] = lambda: None) -> ASGIApp:
    """Return an app that tells which scopes it gets, and calls ``app``, a router of the framework.

    The router puts what has matched into its scope. Middleware may hand on a copy of the scope, so the one
    that arrived need not have it. ``namer`` returns the `RouteNamer` whose routes begin at this router:
    middleware may have rewritten the path.
    """

    def noting(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        request = scope.get(MARKER_KEY)
        if request is not None and (request.seen is not scope or request.path is not scope.get("path")):
            _note_scope(scope, namer())
        return app(scope, receive, send)

    return noting


def _note_scope(scope: Scope, namer: object) -> None:
    for request in marker.markers(scope):
        if request.is_recorded and request.protocol == "asgi":
            request.seen = scope
        if namer is not None and request.namer is namer:
            request.path = path_without_root(scope)


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
