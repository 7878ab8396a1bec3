"""What is known about an HTTP request, before it becomes the attributes of a metric.

A client can send anything as a method, scheme or protocol version. Here these are normalized to closed sets,
so that a client cannot create new series.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, TypeAlias

OTHER = "_OTHER"
"""Replaces a value outside its closed set (HTTP semantic conventions, *http.request.method*)."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))
"""The known methods: those of RFC 9110, PATCH (RFC 5789) and QUERY. Methods are case-sensitive."""

HTTP_VERSIONS = frozenset(("0.9", "1.0", "1.1", "2", "3"))

WEBSOCKET = "WEBSOCKET"
"""Stands for the method of a websocket connection."""

CLIENT_GONE = 499
"""The status of a request whose client disconnected before the response began."""

_URL_SCHEMES = frozenset(("http", "https", "ws", "wss"))


class RequestAttributes(NamedTuple):
    """What is known about a request when it arrives. ``version`` is that of HTTP, None if it is unknown."""

    method: str
    scheme: str
    version: str | None

    def normalized(self, methods: Collection[str] = METHODS) -> RequestAttributes:
        """Return the same with values of the closed sets only. ``methods`` are the known methods."""
        return RequestAttributes(
            self.method if self.method in methods else OTHER,
            self.scheme if self.scheme in _URL_SCHEMES else OTHER,
            self.version if self.version in HTTP_VERSIONS else None,
        )


class ResponseAttributes(NamedTuple):
    """What is known about a request when it has ended.

    ``route`` is the template of the route, None if no route matched. ``error`` is the class of an exception.
    """

    route: str | None
    status: int
    error: str | None


class DetailedResponse(NamedTuple):
    """The same as `ResponseAttributes`, with attributes that the app has declared."""

    route: str | None
    status: int
    error: str | None
    declared: tuple[tuple[str, str], ...] = ()


AnyResponse: TypeAlias = ResponseAttributes | DetailedResponse


def status_number(status: object) -> int:
    """Return the code of a status, which may be an enum; -1 if it has no code."""
    try:
        return int(status)  # type: ignore[call-overload, no-any-return]  # whatever the app has sent
    except (TypeError, ValueError):
        return -1


def error_type(error: BaseException) -> str:
    """Return the qualified name of the exception's class. Builtin exceptions have no module in it.

    Task groups wrap an exception in a group. For a group with one member, the class of the member is
    returned. The group is recognized by its attribute, because Python 3.10 has no exception groups of its
    own.
    """
    members = getattr(error, "exceptions", None)
    if isinstance(members, tuple) and len(members) == 1:
        return error_type(members[0])
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
