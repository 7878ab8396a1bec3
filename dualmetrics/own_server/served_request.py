"""A request that a framework's own server serves, and a websocket."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from dualmetrics.http.marker import Carrier, RequestMarker
from dualmetrics.http.request_attributes import error_type
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.http.traced_request import TracedRequest
from dualmetrics.http.websocket_conventions import ABNORMAL_CLOSURE, ACCEPTED, close_code

SMALL_BODY_BYTES = 65536
"""A body of at most this size is accepted by the system at once.

Its request is ended just before it is sent, so that an answered request survives a kill of the worker.
"""


class ServedRequest(RequestMarker):
    """A request that is counted as active until `end` or `cancel`. Only the first call of these counts."""

    __slots__ = ("_recorder", "_started", "failure", "in_progress", "response")

    is_recorded = True

    def __init__(self, telemetry: object, carrier: Carrier, path: str, recorder: RequestRecorder) -> None:
        super().__init__(telemetry, carrier, path=path)
        self.seen = {}  # else it and the carrier would be a cycle that only the garbage collector can free
        self.response: Any = None
        """The response that has started, for an integration that needs it at the end."""
        self.failure: BaseException | None = None
        """The exception that ended the handler or the response."""
        self.in_progress = True
        self._recorder = recorder
        recorder.start()
        self._started = perf_counter()

    def end(self, status: int, template: str | None) -> None:
        """Record the request with the status that was sent.

        ``template`` is that of the route, None if no route matched; `tell_route` takes precedence over it.
        Never raises.
        """
        if self.in_progress:
            self.route = self.route or template
            told = self.error if status >= 500 else None
            self._record(status, error_type(self.failure) if self.failure is not None else told)

    def cancel(self) -> None:
        """Do not record the request. Never raises."""
        if self.in_progress:
            self.in_progress = False
            self._recorder.cancel()

    def exclude(self) -> None:
        """Do not record the request: an app inside excludes it."""
        self.cancel()

    def _record(self, status: int, error: str | None) -> None:
        self.in_progress = False
        self._recorder.end(self.route, status, error, perf_counter() - self._started)


class TracedServedRequest(TracedRequest, ServedRequest):
    """A `ServedRequest` that is recorded as part of the span that was active when it arrived."""

    __slots__ = ("_span",)


class OpenWebsocket(ServedRequest):
    """A websocket, which is counted while it is open, and nothing more."""

    __slots__ = ()

    def end(self, status: int, template: str | None) -> None:
        """Count it as no longer active."""
        self.cancel()


class CountedOpenWebsocket(ServedRequest):
    """A websocket that is recorded when it ends. Its ``response`` may have a ``close_code``."""

    __slots__ = ()

    def _record(self, status: int, error: str | None) -> None:
        code = getattr(self.response, "close_code", None)
        # It may be one that the client has chosen.
        shown = ABNORMAL_CLOSURE if code is None else code
        super()._record(ACCEPTED, close_code(shown, is_of_app=False))
