"""Marks a request as recorded, and takes what apps, frameworks and inner middleware say about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from dualmetrics.http.mounts import MountPrefixes
from dualmetrics.http.request_attributes import error_type

MARKER_KEY = "dualmetrics.request"
"""The key of the innermost `RequestMarker` in a scope or environ. Middleware that copies these copies it."""

Carrier: TypeAlias = MutableMapping[str, Any]
"""The scope of ASGI or the environ of WSGI."""

REST = "/{path}"
"""Ends the template of a mounted app that shows no routes. It stands for all paths inside."""


class InnerNamer(NamedTuple):
    """An app inside that can name the route of a request, which middleware outside records.

    ``root`` is the root path at which the app inside was called. ``outer`` is the next one outside.
    """

    name: Callable[[], str | None]
    root: str
    outer: InnerNamer | None


def name_nothing() -> None:
    """Return None: the name of an `InnerNamer` that stands for no app."""


class RequestMarker:
    """Marks a request as recorded with a Telemetry. The markers of outer middlewares form a chain."""

    __slots__ = ("error", "inner", "namer", "outer", "path", "root", "route", "seen", "telemetry")

    protocol = "asgi"
    """The other one is ``wsgi``."""

    is_recorded = False
    """Whether the request is recorded with this marker, so that it asks for the route inside."""

    def __init__(self, telemetry: Any, carrier: Carrier, root: str = "", path: str = "") -> None:
        self.telemetry = telemetry
        self.outer: RequestMarker | None = carrier.get(MARKER_KEY)
        self.root = root
        """The root path with which the request arrived: that of a proxy or a mount outside."""
        self.path = path
        """The path for the app's router, without the root path."""
        self.namer: object = None
        """Who names the route, unless an app inside does."""
        self.seen: Any = carrier
        """What ``namer`` is called with: the scope or environ that the app's router saw, or a request."""
        self.route: str | None = None
        """The template that `set_route` was called with."""
        self.error: str | None = None
        """The type of the exception that `set_error` was called with."""
        self.inner: InnerNamer | None = None
        """Who can name the route inside, the innermost first."""
        carrier[MARKER_KEY] = self

    @property
    def mounts(self) -> MountPrefixes:
        """What this Telemetry shows of the prefixes of mounts."""
        mounts: MountPrefixes = self.telemetry.server_metrics.mounts
        return mounts

    def recorded_outside(self) -> RequestMarker | None:
        """The next marker outside with which the request is recorded. It names the route."""
        marker = self.outer
        while marker is not None and not marker.is_recorded:
            marker = marker.outer
        return marker

    def template(self) -> str | None:
        """The template of the request, as far as it is known."""
        return None

    def template_now(self) -> str | None:
        """The template of a request in progress, as far as it is known."""
        return self.template()

    def exclude(self) -> None:
        """Do not record the request: an app inside excludes it."""


def markers(carrier: Carrier) -> Iterator[RequestMarker]:
    """The markers of a request, from the innermost to the outermost."""
    marker: RequestMarker | None = carrier.get(MARKER_KEY)
    while marker is not None:
        yield marker
        marker = marker.outer


def tell_route(carrier: Carrier, template: str) -> None:
    """Set the route of a request in all markers."""
    for marker in markers(carrier):
        marker.route = template


def tell_error(carrier: Carrier, exception: BaseException) -> None:
    """Set the type of the exception that became the response in all markers."""
    for marker in markers(carrier):
        marker.error = error_type(exception)


def note_seen(carrier: Carrier) -> None:
    """Note the scope or environ with which the framework has handled a request."""
    for marker in markers(carrier):
        if marker.is_recorded:
            marker.seen = carrier


def full_template(marker: RequestMarker, template: str | None) -> str | None:
    """Return the template of a request, with the part that only an app inside knows.

    ``template`` is what the app outside has matched: None, or the template of a mount that ends with `REST`,
    if the app inside has routes of its own. What `set_route` was called with takes precedence.
    """
    inner = marker.inner
    if inner is None:
        return marker.route or template
    if marker.route is not None:
        return mount_prefix(marker, template, inner.root) + marker.route
    while inner is not None and (template is None or template.endswith(REST)):
        name = inner.name()
        if name is not None:
            return mount_prefix(marker, template, inner.root) + name
        inner = inner.outer
    return template


def mount_prefix(marker: RequestMarker, template: str | None, root: str) -> str:
    """Return the prefix of the routes of an app that is called with the root path ``root``.

    ``template`` is what the app outside has matched. Its segments replace those of the root path, which may
    be values that a client has chosen.
    """
    mounted_at = root.removeprefix(marker.root)
    if not mounted_at:
        return ""
    segments = mounted_at.split("/")
    known = (template or "").removesuffix(REST).split("/")[: len(segments)]
    prefix = "/".join([*known, *segments[len(known) :]])
    return prefix if len(known) == len(segments) else marker.mounts.shown(prefix)
