"""One HTTP request and its response on their way through the WSGI middleware (PEP 3333)."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from dualmetrics.http.semantic_conventions import CLIENT_GONE, error_type
from dualmetrics.http.server_metrics import RequestRecorder
from dualmetrics.instruments.trace_context import REQUEST_SPAN, local_span

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse

Environ: TypeAlias = dict[str, Any]

RouteNamer: TypeAlias = Callable[[Environ], "str | None"]
"""Gives the matched route's template where the response starts or the app raises; None if none matched."""

Write: TypeAlias = Callable[[bytes], object]

ROUTE_KEY = "dualmetrics.route"
"""The environ's key of the route that `set_route` named."""

ERROR_KEY = "dualmetrics.error"
"""The environ's key of the class of an exception that the framework turned into a response."""


UNKNOWN = sys.maxsize
"""The length of a body that nothing tells."""


class WsgiRequest:
    """Notes the status, and is the response's body for the server.

    It is recorded once: when as much is handed over as Content-Length says, when the body is exhausted,
    closed or fails, or when the app raises. Content-Length, because not all clients exhaust or close a body
    that they have whole: werkzeug's test client leaves that to the garbage collector.
    """

    __slots__ = (
        "_began",
        "_body",
        "_close",
        "_environ",
        "_in_progress",
        "_left",
        "_name",
        "_requests",
        "_route",
        "_start_response",
        "_status",
    )

    def __init__(
        self,
        requests: RequestRecorder,
        name: RouteNamer,
        environ: Environ,
        start_response: StartResponse,
    ) -> None:
        self._requests = requests
        self._name = name
        self._environ = environ
        self._start_response = start_response
        self._left = UNKNOWN
        self._route: str | None = None
        self._status = 0
        self._in_progress = True
        requests.start()
        self._began = perf_counter()

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None) -> Write:
        """The app's ``start_response``. The route is asked here: frameworks forget it when they return."""
        if exc_info:
            write = self._start_response(status, headers, exc_info)
            if exc_info[1] is not None:
                self._environ[ERROR_KEY] = error_type(exc_info[1])
        else:
            write = self._start_response(status, headers)
        self._status = status_code(status)
        self._left = content_length(headers)
        self._find_route()
        return write

    def deliver(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """What the server gets as the body."""
        self._body = body
        self._close: Callable[[], object] | None = getattr(body, "close", None)
        if type(body) is list or type(body) is tuple:
            return SizedBody(self, body)
        wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper) and self._hook(body):
            return body
        return self

    def __iter__(self) -> Iterator[bytes]:
        """Give the body's parts."""
        try:
            for part in self._body:
                self._left -= len(part)
                if self._left <= 0 and self._in_progress:
                    self._end(500)
                yield part
        except BaseException as error:
            self.failed(error)
            raise
        if self._in_progress:
            self._end(500)

    def close(self) -> None:
        """The server is done, after the last part or before it."""
        try:
            if self._close is not None:
                self._close()
        except BaseException as error:
            self.failed(error)
            raise
        if self._in_progress:
            self._end(CLIENT_GONE)

    def failed(self, error: BaseException) -> None:
        """The app has raised, or the client has gone."""
        if not self._in_progress:
            return
        if not self._status:
            self._find_route()
        if isinstance(error, (Exception, KeyboardInterrupt, SystemExit)):
            self._environ[ERROR_KEY] = error_type(error)
            self._end(500)
        else:
            self._end(CLIENT_GONE)

    def _end(self, without_start: int) -> None:
        self._in_progress = False
        seconds = perf_counter() - self._began
        environ = self._environ
        route = environ.get(ROUTE_KEY, self._route)
        self._requests.end(route, self._status or without_start, environ.get(ERROR_KEY), seconds)

    def _find_route(self) -> None:
        try:
            self._route = self._name(self._environ)
        except Exception as error:
            self._requests.errors.error("naming a route", error)

    def _hook(self, file: Any) -> bool:
        """Have the server's own file wrapper, which it may send without iterating, tell of its end."""
        try:
            file.close = self.close
        except (AttributeError, TypeError):  # written in C, or with slots
            return False
        return True


class SizedBody:
    """A body of known length: servers make a Content-Length of a single part."""

    __slots__ = ("_body", "_transaction", "close")

    def __init__(self, transaction: WsgiRequest, body: Sequence[bytes]) -> None:
        self._transaction = transaction
        self._body = body
        self.close = transaction.close

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._transaction)


def content_length(headers: list[tuple[str, str]]) -> int:
    """The length of the body as the headers tell it."""
    for name, value in headers:
        if name == "Content-Length" and value.isdecimal():
            return int(value)
    for name, value in headers:  # as few write it
        if name.lower() == "content-length" and value.isdecimal():
            return int(value)
    return UNKNOWN


@functools.lru_cache(256)
def status_code(line: str) -> int:
    """The code of a status line, ``200 OK``; -1 if there is none in it."""
    try:
        return int(line[:3])
    except ValueError:
        return -1


class TracedWsgiRequest(WsgiRequest):
    """A transaction that is recorded in the span of its request.

    That is the one that is active where the request arrives, if the middleware that traces is further out,
    else where the response starts: when the server reads the body, it is no longer.
    """

    __slots__ = ("_span",)

    def __init__(self, *arguments: Any) -> None:
        self._span = local_span()
        super().__init__(*arguments)

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None) -> Write:
        """The app's ``start_response``."""
        self._span = self._span or local_span()
        return super().start(status, headers, exc_info)

    def _end(self, without_start: int) -> None:
        token = REQUEST_SPAN.set(self._span)
        try:
            super()._end(without_start)
        finally:
            REQUEST_SPAN.reset(token)


def set_route(environ: Environ, template: str) -> None:
    """Name the route that took this request, ``/users/<id>``: never the path itself, which is anything."""
    environ[ROUTE_KEY] = template


def set_error(environ: Environ, exception: BaseException) -> None:
    """Record the type of an exception that the framework has turned into a response.

    Call it from the framework's hook for unhandled exceptions, with the environ of the request. The request
    is then recorded with ``error.type`` under the convention ``semconv``. An exception that reaches the
    middleware needs no call.
    """
    environ[ERROR_KEY] = error_type(exception)
