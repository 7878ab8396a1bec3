"""The types of ASGI 3, and of what names routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

RouteNamer: TypeAlias = Callable[[Scope, str], "str | None"]
"""Gives the matched route's template for a request that has ended, from its scope and the path as it arrived,
without the server's root path. None if no route matched."""


class CachingRouteNamer(Protocol):
    """A `Name` that can also say what its answer hangs on, so that it need not be asked each time."""

    generation: object
    """Another object as soon as `certain` may answer differently. As long as it is the same one, it keeps the
    endpoints and routes that are certain alive, so that their `id` stands for them."""

    def __call__(self, scope: Scope, path: str) -> str | None: ...

    def certain(self, scope: Scope) -> bool:
        """Whether all requests with this scope's endpoint, route and method have the same template."""
        ...
