"""The WSGI environ, and what an app or a framework says about a request in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from dualmetrics.http import marker

Environ: TypeAlias = dict[str, Any]

RouteNamer: TypeAlias = Callable[[Environ], "str | None"]
"""Returns the template of the route that a request matched, or None if no route matched.

It is called when the response starts or the app raises, with the environ that arrived, or with the one that
`note_request` was called with.
"""


def set_route(environ: Environ, template: str) -> None:
    """Set the route of a request, such as ``/users/<id>``. It takes precedence over what the framework says.

    Pass the template and never the path: a client can request any path, and each one would be a new series.
    """
    marker.tell_route(environ, template)


def set_error(environ: Environ, exception: BaseException) -> None:
    """Record the type of an exception that the framework has turned into a response.

    Call it from the framework's hook for unhandled exceptions, with the environ of the request. The request
    is then recorded with ``error.type`` under the convention ``semconv`` if its status is 500 or above. An
    exception that reaches the middleware needs no call.
    """
    marker.tell_error(environ, exception)
