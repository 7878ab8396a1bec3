"""Marks a request on WSGI, and takes what a router says about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dualmetrics.http.marker import MARKER_KEY, Carrier, InnerNamer, RequestMarker, markers
from dualmetrics.http.mounts import taken
from dualmetrics.http.nesting import PROTOCOLS, adopt
from dualmetrics.http.path_filter import decoded
from dualmetrics.wsgi.environ import Environ, RouteNamer
from dualmetrics.wsgi.mounts import is_of_proxy


class WsgiMarker(RequestMarker):
    """What `note_request` tells about a request."""

    __slots__ = ("mounted",)

    protocol = "wsgi"

    namer: RouteNamer

    def __init__(self, telemetry: object, namer: RouteNamer, environ: Environ) -> None:
        root, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        super().__init__(telemetry, environ, decoded(root), decoded(path))
        self.namer = namer
        self.mounted = ""
        """The prefix of mounts between the middleware and the router of ``namer``."""

    def with_mount(self, template: str | None) -> str | None:
        """Return what ``namer`` has returned, with the prefix of the mounts."""
        return self.mounts.shown(self.mounted) + template if template is not None else None


def note_request(environ: Environ, namer: RouteNamer) -> bool:
    """Tell that the router of ``namer`` matches a request with this environ, and begins at its path.

    Middleware may hand on a copy of the environ, so the one that arrived need not have what matched. The
    middleware whose ``route_namer`` is ``namer`` calls it with this environ.

    Returns True if the request has not passed that middleware, but other middleware outside calls ``namer``,
    when the request has ended.
    """
    innermost = environ.get(MARKER_KEY)
    if innermost is not None and innermost.namer is namer and innermost.path is environ.get("PATH_INFO"):
        innermost.seen = environ
        if innermost.outer is None:  # nearly always
            return False
    own: list[Any] = [marker for marker in markers(environ) if marker.namer is namer]
    for marker in own:
        marker.seen = environ
        marker.mounted = mounted_between(marker, environ)
    if own:
        return False
    adopt_outside(environ)
    return tell_outside(environ, partial(namer, environ))


def may_be_nested() -> bool:
    """Whether the middleware for ASGI is imported, too, so that requests may come from an ASGI app."""
    return PROTOCOLS.may_nest


def adopt_outside(environ: Environ) -> None:
    """Find the request outside, if an app of the other protocol was called with it."""
    if PROTOCOLS.may_nest:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        adopt(environ, environ["REQUEST_METHOD"], decoded(path))


def tell_outside(environ: Environ, name: Callable[[], str | None]) -> bool:
    """Let the middleware outside know who names the route inside. Returns whether there is any."""
    recorded = [marker for marker in markers(environ) if marker.is_recorded]
    for marker in recorded:
        root = marker.root + mounted_between(marker, environ)
        marker.inner = InnerNamer(name, root, marker.inner)
    return bool(recorded)


def is_recorded_by(environ: Environ, namer: RouteNamer) -> bool:
    """Whether middleware outside asks ``namer`` for the route of this request, at this path."""
    marker = environ.get(MARKER_KEY)
    while marker is not None:
        if marker.namer is namer:
            path: str = marker.path
            return path == decoded(environ.get("PATH_INFO", ""))
        marker = marker.outer
    return False


def mounted_between(marker: RequestMarker, environ: Carrier) -> str:
    """Return the prefix of mounts between the middleware of a marker and the app that got ``environ``."""
    path, root = decoded(environ.get("PATH_INFO", "")), decoded(environ.get("SCRIPT_NAME", ""))
    prefix = taken(marker.path, path, root)
    return "" if prefix and is_of_proxy(prefix, environ) else prefix
