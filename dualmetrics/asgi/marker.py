"""Marks a connection as recorded, and takes what an app says about it."""

from __future__ import annotations

from collections.abc import Iterator

from dualmetrics.asgi.types import Scope
from dualmetrics.http.request_attributes import error_type

MARKER_KEY = "dualmetrics"
"""The scope key of the innermost `RequestMarker`. Middleware that copies the scope copies the key with it."""


class RequestMarker:
    """Marks a connection as recorded with a Telemetry. The markers of outer middlewares form a chain."""

    __slots__ = ("error", "outer", "route", "telemetry")

    def __init__(self, telemetry: object, scope: Scope) -> None:
        self.telemetry = telemetry
        self.outer: RequestMarker | None = scope.get(MARKER_KEY)
        self.route: str | None = None
        """The template that `set_route` was called with."""
        self.error: str | None = None
        """The type of the exception that `set_error` was called with."""
        scope[MARKER_KEY] = self


def markers(scope: Scope) -> Iterator[RequestMarker]:
    """The markers of a connection, from the innermost to the outermost."""
    marker: RequestMarker | None = scope.get(MARKER_KEY)
    while marker is not None:
        yield marker
        marker = marker.outer


def set_route(scope: Scope, template: str) -> None:
    """Set the route of a request, such as ``/users/{id}``. It takes precedence over what the framework says.

    Pass the template and never the path: a client can request any path, and each one would be a new series.
    """
    for marker in markers(scope):
        marker.route = template


def set_error(scope: Scope, exception: BaseException) -> None:
    """Record the type of an exception that the framework has turned into a response.

    Call it from the framework's hook for unhandled exceptions, with the scope of the request. The request is
    then recorded with ``error.type`` under the convention ``semconv``. An exception that reaches the
    middleware needs no call.
    """
    for marker in markers(scope):
        marker.error = error_type(exception)
