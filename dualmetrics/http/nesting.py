"""Finds the request in which an app of the other protocol is called: WSGI inside ASGI, or ASGI inside WSGI.

What is between the two builds a new scope or environ, without the marker of the request. It calls the app
inside in the context of the request, though, whichever thread that runs in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import NamedTuple

from dualmetrics.http.marker import MARKER_KEY, Carrier, RequestMarker


class _Outside(NamedTuple):
    """A request, with what the request inside has in common with it. ``path`` includes the root path."""

    marker: RequestMarker
    method: str
    path: str


_OUTSIDE: ContextVar[_Outside | None] = ContextVar("dualmetrics_request", default=None)


class Protocols:
    """The protocols whose middleware is imported. If there is only one, requests need nothing."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self.may_nest = False
        """Whether there are two, so that one may be inside the other."""

    def use(self, protocol: str) -> None:
        """Note that the middleware for a protocol was imported."""
        self._used.add(protocol)
        self.may_nest = len(self._used) > 1


PROTOCOLS = Protocols()


class outside:  # noqa: N801 - used as a function, like those of contextlib, which are slower
    """Let apps that are called in the block find this request. ``path`` includes the root path."""

    def __init__(self, marker: RequestMarker, method: str, path: str) -> None:
        self._found = _Outside(marker, method, path)

    def __enter__(self) -> None:
        self._token = _OUTSIDE.set(self._found)

    def __exit__(self, *_: object) -> None:
        # A coroutine or generator that is closed elsewhere ends in another context.
        with suppress(ValueError):
            _OUTSIDE.reset(self._token)


def findable_parts(body: Iterable[bytes], marker: RequestMarker, method: str, path: str) -> Iterator[bytes]:
    """The parts of a WSGI body. An app inside may run no earlier than the server asks for the first."""
    parts = iter(body)
    while True:
        with outside(marker, method, path):
            part = next(parts, None)
        if part is None:
            return
        yield part


def adopt(carrier: Carrier, method: str, path: str) -> None:
    """Mark a request that is the same as one outside, which had another protocol.

    It is the same if it has the same method and path. A handler may send another request to an app of this
    process.
    """
    found = _OUTSIDE.get()
    if found is not None and MARKER_KEY not in carrier and found[1:] == (method, path):
        carrier[MARKER_KEY] = found.marker
