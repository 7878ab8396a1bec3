"""The types of ASGI 3, and of what names routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

Name: TypeAlias = Callable[[Scope, str], "str | None"]
"""Gives the matched route's template for a request that has ended, from its scope and the path as it arrived,
without the server's root path. None if no route matched."""
