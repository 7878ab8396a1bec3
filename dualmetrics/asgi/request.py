"""Records one HTTP request and its response, as its messages pass through the ASGI middleware."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter

from dualmetrics.asgi.recorded_marker import RecordedMarker
from dualmetrics.asgi.types import CachingRouteNamer, Message, Receive, Scope, Send
from dualmetrics.http.marker import MARKER_KEY, InnerNamer, name_nothing
from dualmetrics.http.request_attributes import CLIENT_GONE, ResponseAttributes, error_type, status_number
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.http.traced_request import TracedRequest

BODY_MESSAGES = {
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
}
"""The messages that may end a response, each with the key that says whether more of them follow."""

TRAILER_MESSAGES = {"http.response.trailers": "more_trailers"}
"""The same for a response that has announced trailers in its start."""

FILE_MESSAGES = frozenset(("http.response.zerocopysend", "http.response.pathsend"))
"""The messages that send a file. The server needs some time for it, which belongs to the request."""

SERVER_BUFFER_BYTES = 65536
"""A body of at most this size is accepted by the server without waiting for the client."""


class AsgiRequest(RecordedMarker):
    """Watches the messages of a request, and records it once: at its last message, or when the app ends.

    One is made for each request. So it has few methods, and a method is a coroutine only if it must await.
    """

    __slots__ = (
        "_client_gone",
        "_final_messages",
        "_receive",
        "_send",
        "_started",
        "_status",
        "in_progress",
    )

    def __init__(
        self,
        telemetry: object,
        recorder: RequestRecorder,
        namer: CachingRouteNamer,
        scope: Scope,
        root: str,
        path: str,
        receive: Receive,
        send: Send,
    ) -> None:
        self.telemetry = telemetry  # the same as in RequestMarker.__init__, without the cost of a call
        self.outer = scope.get(MARKER_KEY)
        self.root = root
        self.path = path
        self.namer = namer
        self.seen = scope
        self.route = self.error = self.inner = None
        if root and self.mounts.root_path is not None:
            self.inner = InnerNamer(name_nothing, root, None)  # the template depends on the root path, too
        scope[MARKER_KEY] = self
        self._recorder = recorder
        self._receive = receive
        self._send = send
        self._status = 0
        self._client_gone = False
        self.in_progress = True
        self._final_messages = BODY_MESSAGES
        recorder.start()
        self._started = perf_counter()

    async def receive(self) -> Message:
        """Receive a message for the app."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._client_gone = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the app.

        If the server accepts the last message at once, the request is recorded before it is sent, so that an
        answered request survives a kill of the worker.
        """
        kind = message["type"]
        if kind == "http.response.start":
            return self._send_start(message)
        more = self._final_messages.get(kind)
        if more is None or not self.in_progress or message.get(more):
            return self._send(message)
        if not self._status or kind in FILE_MESSAGES or len(message.get("body", b"")) > SERVER_BUFFER_BYTES:
            return self._send_end(message)
        self._record(self._status, None)
        return self._send(message)

    def exclude(self) -> None:
        """Do not record the request: an app inside excludes it."""
        if self.in_progress:
            self.in_progress = False
            self._recorder.cancel()

    def returned(self) -> None:
        """Record a request whose app has returned before the end of the response."""
        self._record(self._status or (CLIENT_GONE if self._client_gone else 500), None)

    def failed(self, error: BaseException) -> None:
        """Record a request whose app has raised, or was cancelled because its client disconnected."""
        if not self.in_progress:
            return
        if isinstance(error, (Exception, KeyboardInterrupt, SystemExit)) and not (
            self._client_gone and not self._status
        ):
            # A framework may raise an exception of its own in place of the one that it has told.
            self._record(self._status or 500, self.error or error_type(error))
        else:
            self._record(self._status or CLIENT_GONE, None)

    async def _send_start(self, message: Message) -> None:
        await self._send(message)
        status = message["status"]  # read afterwards: if the server fails, the response has not begun
        self._status = status if type(status) is int else status_number(status)
        if message.get("trailers"):
            self._final_messages = TRAILER_MESSAGES

    async def _send_end(self, message: Message) -> None:
        await self._send(message)
        if self.in_progress:
            self._record(self._status, None)

    def _record(self, status: int, error: str | None) -> None:
        self.in_progress = False
        seconds = perf_counter() - self._started
        if error is None and status >= 500:
            error = self.error
        scope = self.seen
        key = self.namer.generation, id(scope.get("route") or scope.get("endpoint")), status
        shortcut = self._recorder.shortcuts.get(key)
        is_usual = error is None and self.route is None and self.inner is None
        if shortcut is not None and is_usual:
            record, applies = shortcut
            if applies(self.path):
                return record(seconds)
        route = self.template()
        self._recorder.end(route, status, error, seconds)
        check = self.namer.check_for(self.seen) if is_usual else None
        if check is not None and check(self.path):
            self._recorder.remember_shortcut(key, ResponseAttributes(route, status, None), check)
        return None


class TracedAsgiRequest(TracedRequest, AsgiRequest):
    """An `AsgiRequest` that is recorded as part of a span.

    If no span was active when the request arrived, it is the one that is active when the request is recorded:
    that of the server, or that of sending the response.
    """

    __slots__ = ("_span",)
