"""Records one HTTP request and its response, as they pass through the WSGI middleware (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from dualmetrics.http.marker import MARKER_KEY, full_template
from dualmetrics.http.nesting import PROTOCOLS, findable_parts, outside
from dualmetrics.http.path_filter import decoded
from dualmetrics.http.request_attributes import CLIENT_GONE, error_type
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.http.traced_request import TracedRequest
from dualmetrics.instruments.trace_context import local_span
from dualmetrics.wsgi.environ import Environ, RouteNamer, set_error
from dualmetrics.wsgi.file_wrapper import is_made_by_function
from dualmetrics.wsgi.marker import WsgiMarker
from dualmetrics.wsgi.mounts import mounted_at
from dualmetrics.wsgi.response_start import UNKNOWN_LENGTH, content_length, status_code
from dualmetrics.wsgi.sized_body import SizedBody

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication

WriteCallable: TypeAlias = Callable[[bytes], object]


class WsgiRequest(WsgiMarker):
    """Watches a request, and is the body of its response that the server iterates over.

    The request is recorded once: when the app raises, when as many bytes as Content-Length says have been
    handed over, or the only part of the body, or when the body is exhausted, fails or is closed.
    Content-Length matters because a client may have the whole body and neither exhaust nor close it:
    werkzeug's test client leaves this to the garbage collector.
    """

    __slots__ = (
        "_body",
        "_bytes_left",
        "_close_body",
        "_environ",
        "_matched",
        "_recorder",
        "_start_response",
        "_started",
        "_status",
        "in_progress",
    )

    is_recorded = True

    def __init__(
        self,
        telemetry: object,
        recorder: RequestRecorder,
        namer: RouteNamer,
        environ: Environ,
        path: str,
        start_response: StartResponse,
    ) -> None:
        self.telemetry = telemetry  # the same as in WsgiMarker.__init__, without the cost of two calls
        self.outer = environ.get(MARKER_KEY)
        root = environ.get("SCRIPT_NAME")
        self.root = decoded(root) if root else ""
        self.path = path if path.isascii() else decoded(path)
        self.namer = namer
        self.seen = environ
        self.mounted = ""
        self.route = self.error = self.inner = None
        environ[MARKER_KEY] = self
        self._recorder = recorder
        self._environ = environ
        self._start_response = start_response
        self._bytes_left = UNKNOWN_LENGTH
        self._matched: str | None = None
        self._status = 0
        self.in_progress = True
        recorder.start()
        self._started = perf_counter()

    def call_findable(self, app: WSGIApplication) -> Iterable[bytes]:
        """Call the app so that ASGI apps inside find this request."""
        with outside(self, self._environ["REQUEST_METHOD"], self.root + self.path):
            return app(self._environ, self.start)

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> WriteCallable:
        """The ``start_response`` of the app. The route is named here, as a framework may forget it later."""
        if exc_info:
            write = self._start_response(status, headers, exc_info)
            if exc_info[1] is not None:
                set_error(self._environ, exc_info[1])
        else:
            write = self._start_response(status, headers)
        self._status = status_code(status)
        self._bytes_left = content_length(headers)
        if self._matched is None:
            self._match_route()
        return write

    def wrap_body(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body that the server gets in place of the body that the app has returned."""
        self._body = body
        self._close_body: Callable[[], object] | None = getattr(body, "close", None)
        if type(body) is list or type(body) is tuple:
            return SizedBody(self, body)
        file_wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type):
            is_file = isinstance(body, file_wrapper)
        else:
            is_file = is_made_by_function(body, self._environ)
        if is_file:
            self._watch_close(body)
        return body if is_file else self

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the body of the app."""
        try:
            for part in self._findable_parts() if PROTOCOLS.may_nest else self._body:
                self._bytes_left -= len(part)
                if self._bytes_left <= 0 and self.in_progress:
                    self._record(500, None)
                yield part
        except BaseException as error:
            self.failed(error)
            raise
        if self.in_progress:
            self._record(500, None)

    def hand_over(self, parts: Sequence[bytes]) -> None:
        """Record the request, as its server is about to get all parts of the body, at most one."""
        if self.in_progress:
            self._record(500, None)

    def close(self) -> None:
        """Close the body of the app. The server calls this after the last part, or before if it gives up."""
        try:
            if self._close_body is not None:
                self._close_body()
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            # The server's file wrapper has this method as its own. With the body, they would be a cycle.
            self._body, self._close_body = (), None
        if self.in_progress:
            self._record(CLIENT_GONE, None)

    def failed(self, error: BaseException) -> None:
        """Record a request whose app has raised, or whose client has disconnected."""
        if not self.in_progress:
            return
        if not self._status:
            self._match_route()
        if isinstance(error, (Exception, KeyboardInterrupt, SystemExit)):
            # Another Telemetry may record the same request further out. If what is between the two answers
            # the exception with a 500, that one needs the type.
            set_error(self._environ, error)
            self._record(500, error_type(error))
        else:
            self._record(CLIENT_GONE, None)

    def exclude(self) -> None:
        """Do not record the request: an app inside excludes it, or it has become a websocket."""
        if self.in_progress:
            self.in_progress = False
            self._recorder.cancel()
            # With the environ, these would be a cycle that only the garbage collector can free.
            self._environ[MARKER_KEY] = self.outer
            self.seen = None

    def template(self) -> str | None:
        """The template of the request, as far as it is known."""
        try:
            outside = self.recorded_outside()
            if outside is not None:
                return outside.template()
            template = full_template(self, self.with_mount(self._matched))
            return template if template is None or not self.root else self._mounted_outside() + template
        except Exception as error:
            self._recorder.errors.error("naming a route", error)
            return None

    def _record(self, status_if_not_started: int, error: str | None) -> None:
        self.in_progress = False
        seconds = perf_counter() - self._started
        status = self._status or status_if_not_started
        if error is None and status >= 500:
            error = self.error
        is_usual = self.route is None and self.inner is None and self.outer is None and not self.root
        route = self._matched if is_usual and not self.mounted else self.template()
        self._recorder.end(route, status, error, seconds)
        self._environ[MARKER_KEY] = self.outer
        self.seen = None

    def _match_route(self) -> None:
        try:
            if self.in_progress:
                self._matched = self.namer(self.seen)
        except Exception as error:
            self._recorder.errors.error("naming a route", error)

    def _mounted_outside(self) -> str:
        return self.mounts.shown(mounted_at(self.mounts, self.root, self.path, self._environ))

    def _findable_parts(self) -> Iterator[bytes]:
        return findable_parts(self._body, self, self._environ["REQUEST_METHOD"], self.root + self.path)

    def _watch_close(self, file: Any) -> None:
        """Let a file call our `close`, as servers may send it without iterating."""
        try:
            file.close = self.close
        except (AttributeError, TypeError):  # it is written in C, or has slots
            self._record(500, None)


class TracedWsgiRequest(TracedRequest, WsgiRequest):
    """A `WsgiRequest` that is recorded as part of a span.

    If no span was active when the request arrived, it is the one that is active when the response starts. It
    is no longer active when the server reads the body.
    """

    __slots__ = ("_span",)

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> WriteCallable:
        """The ``start_response`` of the app."""
        self._span = self._span or local_span()
        return super().start(status, headers, exc_info)
