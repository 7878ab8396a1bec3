"""Marks a request on WSGI, and takes what a router says about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dualmetrics.http.marker import MARKER_KEY, Carrier, InnerNamer, RequestMarker, markers
from dualmetrics.http.mounts import taken
from dualmetrics.http.nesting import PROTOCOLS, adopt
from dualmetrics.wsgi.environ import Environ, RouteNamer, decoded
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

    def find_route(self) -> str | None:
        """Ask ``namer`` for the route. Raises what it raises."""
        template = self.namer(self.seen)
        return (
            template if template is None or not self.mounted else self.mounts.shown(self.mounted) + template
        )


def note_request(environ: Environ, namer: RouteNamer, request: object = None) -> None:
    """Tell that the router of ``namer`` matches a request, and begins at the path of this environ.

    Middleware may hand on a copy of the environ, so the one that arrived need not have what matched. The
    middleware whose ``route_namer`` is ``namer`` calls it with ``request``, by default with ``environ``. If
    the request has not passed it, middleware outside learns the route.
    """
    seen = environ if request is None else request
    is_noted = False
    marker = environ.get(MARKER_KEY)
    while marker is not None:
        if marker.namer is namer:
            is_noted = True
            marker.seen = seen
            path = environ.get("PATH_INFO", "")
            if path != marker.path:
                marker.mounted = mounted_between(marker, environ)
        marker = marker.outer
    if not is_noted:
        adopt_outside(environ)
        tell_outside(environ, partial(namer, seen))


def adopt_outside(environ: Environ) -> None:
    """Find the request outside, if an app of the other protocol was called with it."""
    if PROTOCOLS.may_nest:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        adopt(environ, environ["REQUEST_METHOD"], decoded(path))


def tell_outside(environ: Environ, name: Callable[[], str | None]) -> None:
    """Let the middleware outside know who names the route inside."""
    for marker in markers(environ):
        if not marker.is_recorded:
            continue
        root = marker.root + mounted_between(marker, environ)
        marker.inner = InnerNamer(name, root, marker.inner)


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
