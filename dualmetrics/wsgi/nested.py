"""A request to an app inside, for which middleware outside has a marker already."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dualmetrics.http.marker import RequestMarker
from dualmetrics.http.mounts import MountPrefixes
from dualmetrics.http.nesting import findable_parts
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.wsgi.environ import Environ, RouteNamer
from dualmetrics.wsgi.marker import WsgiMarker, tell_outside

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class _Found:
    """The route inside, once it is known. It refers to no request, so it is in no reference cycle."""

    __slots__ = ("template",)

    def __init__(self) -> None:
        self.template: str | None = None

    def __call__(self) -> str | None:
        return self.template


class NestedRequest(WsgiMarker):
    """Finds the route of the app inside when the response starts, since a framework may forget it later.

    It records nothing. The markers outside learn the route, and the prefix of the mount.
    """

    __slots__ = ("_errors", "_found", "_start_response")

    outer: RequestMarker

    def __init__(self, namer: RouteNamer, environ: Environ, errors: ErrorReporter) -> None:
        self._errors = errors
        self._found = _Found()
        tell_outside(environ, self._found)
        super().__init__(None, namer, environ)

    def call(self, app: WSGIApplication, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Call the app inside. Raises what it raises."""
        self._start_response: Callable[..., Any] = start_response
        try:
            return app(environ, self.start)
        except BaseException:
            self._find()
            raise

    def start(self, *arguments: Any) -> Any:
        """The ``start_response`` of the app inside."""
        self._find()
        return self._start_response(*arguments)

    @property
    def mounts(self) -> MountPrefixes:
        """What the Telemetry outside shows of the prefixes of mounts."""
        return self.outer.mounts

    def _find(self) -> None:
        """Find the route once. What the router has seen refers to the environ, and that to this object."""
        if self.seen is None:
            return
        try:
            self._found.template = self.with_mount(self.namer(self.seen))
        except Exception as error:
            self._errors.error("naming a route", error)
        self.seen = None


class FindableBody:
    """The body of an app that is a generator, which runs while the server iterates over it."""

    def __init__(self, body: Generator[bytes, None, None], marker: RequestMarker, method: str) -> None:
        self.close = body.close
        self._parts = findable_parts(body, marker, method, marker.root + marker.path)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts
