"""The types of ASGI 3, and the types of functions that name routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
"""A connection's scope as ASGI defines it; not the instrumentation scope of `dualmetrics.model`."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

RouteNamer: TypeAlias = Callable[[Scope, str], "str | None"]
"""Returns the template of the route that a request matched, or None if no route matched.

It is called when the request has ended, with its scope and with its path as it arrived, without the root
path.
"""


class CachingRouteNamer(Protocol):
    """A `RouteNamer` that also says when its answer may be remembered, so that not every request calls it."""

    generation: object
    """An object that is replaced when `check_for` may answer differently.

    While it is the same object, the endpoints and routes for which `check_for` returns a function stay alive,
    so that an ``id`` identifies them.
    """

    def __call__(self, scope: Scope, path: str) -> str | None: ...

    def check_for(self, scope: Scope) -> Callable[[str], object] | None:
        """Return a function that says of a path whether it leads to the template of this request.

        The template is then remembered for the endpoint, the route and the method of this scope. None if the
        template of the next request may be another one.
        """
        ...
