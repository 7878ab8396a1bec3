"""One HTTP request and its response on their way through the ASGI middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from time import perf_counter
from typing import Any

from dualmetrics.asgi.types import CachingRouteNamer, Message, Receive, Scope, Send
from dualmetrics.http.semantic_conventions import CLIENT_GONE, ResponseAttributes, error_type
from dualmetrics.http.server_metrics import RequestRecorder
from dualmetrics.instruments.trace_context import REQUEST_SPAN, local_span

MARKER_KEY = "dualmetrics"
"""The scope's key of a `Mark`, which stays the same one where middleware hands a copy of the scope on."""

BODY = {
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
}
"""Messages that end a response, unless what they carry under this key is true."""

FILES = frozenset(("http.response.zerocopysend", "http.response.pathsend"))
"""Those of them whose body lies in a file: handing it over takes as long as it takes."""

TRAILERS = {"http.response.trailers": "more_trailers"}
"""The same for a response whose start announced trailers."""

BUFFERED = 65536
"""Bytes that a server takes without waiting for the client."""


class RequestMarker:
    """Says that a connection is counted, by which Telemetry, and by which others further out."""

    __slots__ = ("error", "outer", "route", "telemetry")

    def __init__(self, telemetry: object, scope: Scope) -> None:
        self.telemetry = telemetry
        self.outer: RequestMarker | None = scope.get(MARKER_KEY)
        self.route: str | None = None
        """The template that `set_route` was called with."""
        self.error: str | None = None
        """The type of the exception that `set_error` was called with."""
        scope[MARKER_KEY] = self


def markers(scope: Scope) -> Iterator[RequestMarker]:
    """Those of a connection, from the inside out."""
    mark: RequestMarker | None = scope.get(MARKER_KEY)
    while mark is not None:
        yield mark
        mark = mark.outer


class AsgiRequest(RequestMarker):
    """Notes what passes between server and app; records it once, at the last byte or at the app's end.

    Each request makes one, so its methods are few, and coroutines only where something is to be awaited.
    """

    __slots__ = (
        "_began",
        "_endings",
        "_gone",
        "_name",
        "_path",
        "_receive",
        "_requests",
        "_scope",
        "_send",
        "_status",
        "in_progress",
    )

    def __init__(
        self,
        telemetry: object,
        requests: RequestRecorder,
        name: CachingRouteNamer,
        scope: Scope,
        path: str,
        receive: Receive,
        send: Send,
    ) -> None:
        self.telemetry = telemetry  # what a Mark does, without a call
        self.outer = scope.get(MARKER_KEY)
        self.route = None
        self.error = None
        scope[MARKER_KEY] = self
        self._requests = requests
        self._name = name
        self._scope = scope
        self._path = path
        self._receive = receive
        self._send = send
        self._status = 0
        self._gone = False
        self.in_progress = True
        self._endings = BODY
        requests.start()
        self._began = perf_counter()

    async def receive(self) -> Message:
        """What the app hears."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """What the app says.

        A last part that the server takes at once is counted before: who has the whole answer is counted,
        though the worker be killed in that moment.
        """
        kind = message["type"]
        if kind == "http.response.start":
            return self._start(message)
        more = self._endings.get(kind)
        if more is None or not self.in_progress or message.get(more):
            return self._send(message)
        if not self._status or kind in FILES or len(message.get("body", b"")) > BUFFERED:
            return self._finish(message)
        self._record(self._status, self.error)
        return self._send(message)

    async def _start(self, message: Message) -> None:
        """The response has begun when the server has taken its start."""
        await self._send(message)
        self._status = message["status"]
        if message.get("trailers"):
            self._endings = TRAILERS

    async def _finish(self, message: Message) -> None:
        await self._send(message)
        if self.in_progress:
            self._record(self._status, self.error)

    def returned(self) -> None:
        """The app has returned without an end of the response, perhaps without a response."""
        self._record(self._status or (CLIENT_GONE if self._gone else 500), self.error)

    def failed(self, error: BaseException) -> None:
        """The app has raised, or was cancelled because nobody waits for its response any more."""
        if not self.in_progress:
            return
        if isinstance(error, (Exception, KeyboardInterrupt, SystemExit)) and not (
            self._gone and not self._status
        ):
            self._record(self._status or 500, error_type(error))
        else:
            self._record(self._status or CLIENT_GONE, None)

    def _record(self, status: int, error: str | None) -> None:
        self.in_progress = False
        seconds = perf_counter() - self._began
        requests, scope = self._requests, self._scope
        key = self._name.generation, id(scope.get("endpoint")), id(scope.get("route")), status
        record = requests.shortcuts.get(key)
        if record is not None and error is None and self.route is None:
            record(seconds)
        else:
            route = self._find_route(scope)
            requests.end(route, status, error, seconds)
            if error is None and self.route is None and self._name.certain(scope):
                requests.remember_shortcut(key, ResponseAttributes(route, status, None))

    def _find_route(self, scope: Scope) -> str | None:
        try:
            return self.route or self._name(scope, self._path)
        except Exception as failure:
            self._requests.errors.error("naming a route", failure)
            return None


class TracedAsgiRequest(AsgiRequest):
    """An exchange that is recorded in the span of its request.

    That is the one that is active where the request arrives, if the middleware that traces is further out;
    else the one that is active when it is recorded, which is the server's, or that of sending the response.
    """

    __slots__ = ("_span",)

    def __init__(self, *arguments: Any) -> None:
        self._span = local_span()
        super().__init__(*arguments)

    def _record(self, status: int, error: str | None) -> None:
        token = REQUEST_SPAN.set(self._span)
        try:
            super()._record(status, error)
        finally:
            REQUEST_SPAN.reset(token)


def set_route(scope: Scope, template: str) -> None:
    """Name the route that took this request, ``/users/{id}``: never the path itself, which is anything.

    For apps whose framework does not say it; it comes before what the framework says.
    """
    for mark in markers(scope):
        mark.route = template


def set_error(scope: Scope, exception: BaseException) -> None:
    """Record the type of an exception that the framework has turned into a response.

    Call it from the framework's hook for unhandled exceptions, with the scope of the request. The request is
    then recorded with ``error.type`` under the convention ``semconv``. An exception that reaches the
    middleware needs no call.
    """
    for mark in markers(scope):
        mark.error = error_type(exception)


def path_without_root(scope: Scope) -> str:
    """The path without the root path of a proxy or mount, which newer servers leave in it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path
