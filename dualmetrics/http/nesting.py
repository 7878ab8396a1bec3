"""Finds the request in which an app of the other protocol is called: WSGI inside ASGI, or ASGI inside WSGI.

What is between the two builds a new scope or environ, without the marker of the request. It calls the app
inside in the context of the request, though, whichever thread that runs in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    """The protocols that middleware of this process speaks. Nothing is done for requests of one protocol."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self.may_nest = False
        """Whether there are two, so that one may be inside the other."""

    def use(self, protocol: str) -> None:
        """Note that middleware for a protocol was made."""
        self._used.add(protocol)
        self.may_nest = len(self._used) > 1


PROTOCOLS = Protocols()


@contextmanager
def outside(marker: RequestMarker, method: str, path: str) -> Iterator[None]:
    """Let apps that are called in the block find this request. ``path`` includes the root path."""
    token = _OUTSIDE.set(_Outside(marker, method, path))
    try:
        yield
    finally:
        _OUTSIDE.reset(token)


def adopt(carrier: Carrier, method: str, path: str) -> None:
    """Mark a request that is the same as one outside, which had another protocol.

    It is the same if it has the same method and path. A handler may send another request to an app of this
    process.
    """
    found = _OUTSIDE.get()
    if found is not None and MARKER_KEY not in carrier and found[1:] == (method, path):
        carrier[MARKER_KEY] = found.marker
