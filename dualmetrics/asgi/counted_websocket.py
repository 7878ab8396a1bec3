"""Counts and times a websocket, and tells its route and how it was closed."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from dualmetrics.asgi.recorded_marker import RecordedMarker
from dualmetrics.asgi.types import ASGIApp, CachingRouteNamer, Message, Receive, Scope, Send
from dualmetrics.http.request_attributes import CLIENT_GONE, status_number
from dualmetrics.http.websocket_conventions import (
    ABNORMAL_CLOSURE,
    ACCEPTED,
    INTERNAL_ERROR,
    NO_STATUS_RECEIVED,
    NORMAL_CLOSURE,
    REJECTED,
    close_code,
)

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

SERVER_ERROR = 500


class CountedWebsocket(RecordedMarker):
    """Is active until one side closes it or the app ends, and is recorded then.

    A handshake that the app refuses is recorded with the status of its response, and without a close code.
    """

    __slots__ = ("_is_open", "_receive", "_send", "_started", "_status")

    def __init__(
        self, telemetry: Telemetry, namer: CachingRouteNamer, scope: Scope, root: str, path: str
    ) -> None:
        super().__init__(telemetry, scope, root, path)
        self.namer = namer
        self._status = 0
        self._is_open = True
        self._recorder = telemetry.server_metrics.websocket_recorder(scope.get("scheme", "ws"))

    async def serve(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Run the app. Raises what it raises."""
        self._receive, self._send = receive, send
        scope = self.seen
        self._recorder.start()
        self._started = perf_counter()
        try:
            await app(scope, self.receive, self.send)
        except BaseException as error:
            is_failure = isinstance(error, Exception)
            code = INTERNAL_ERROR if is_failure else ABNORMAL_CLOSURE
            self._end(SERVER_ERROR if is_failure else CLIENT_GONE, code, is_of_app=True)
            raise
        finally:
            # What the app returns without having answered is an error of the app.
            self._end(SERVER_ERROR, NORMAL_CLOSURE, is_of_app=True)
            self.seen, self.inner = {}, None  # the scope refers to this marker: else they would be a cycle

    async def receive(self) -> Message:
        """Receive a message for the app."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._end(CLIENT_GONE, message.get("code") or NO_STATUS_RECEIVED, is_of_app=False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the app."""
        await self._send(message)
        kind = message["type"]
        if kind == "websocket.accept":
            self._status = ACCEPTED
        elif kind == "websocket.close":
            self._end(REJECTED, message.get("code") or NORMAL_CLOSURE, is_of_app=True)
        elif kind == "websocket.http.response.start":
            self._status = status_number(message["status"])
        elif kind == "websocket.http.response.body" and not message.get("more_body"):
            self._end(REJECTED, None, is_of_app=True)

    def exclude(self) -> None:
        """Do not record the websocket: an app inside excludes it."""
        if self._is_open:
            self._is_open = False
            self._recorder.cancel()

    def _end(self, status_if_not_answered: int, code: object, *, is_of_app: bool) -> None:
        if not self._is_open:
            return
        self._is_open = False
        seconds = perf_counter() - self._started
        was_accepted = self._status == ACCEPTED
        shown = close_code(code, is_of_app=is_of_app) if was_accepted else None
        self._recorder.end(self.template(), self._status or status_if_not_answered, shown, seconds)
