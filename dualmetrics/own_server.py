"""Metrics for frameworks that have a server of their own, and speak neither ASGI nor WSGI.

An integration of such a framework calls `Requests.begin` when a request arrives, and `ServedRequest.end` when
the last byte of its response was sent. In between, the request is found by its carrier, a mapping that the
integration keeps for each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from dualmetrics.asgi.page import respond
from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.http.marker import Carrier, RequestMarker, markers, tell_error, tell_route
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.http.request_attributes import CLIENT_GONE, error_type
from dualmetrics.http.request_details import RequestDetails
from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.http.traced_request import TracedRequest
from dualmetrics.http.websocket_conventions import ABNORMAL_CLOSURE, ACCEPTED, close_code
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse

if TYPE_CHECKING:
    from dualmetrics.http.detailed_recorder import DetailedRecorder
    from dualmetrics.telemetry import Telemetry

__all__ = [
    "CLIENT_GONE",
    "SMALL_BODY_BYTES",
    "DetailedServedRequest",
    "Requests",
    "ServedRequest",
    "answer_scrape",
    "exclude",
    "run_in_thread",
    "tell_error",
    "tell_route",
]

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


class DetailedServedRequest(ServedRequest):
    """A `ServedRequest` of which more is known, where the settings ask for it. An integration tells it.

    ``on_response`` is called with the response when it is set, and ``measure`` at the end: it may tell the
    bytes of both bodies then.
    """

    __slots__ = ("_details", "_response", "_route_of", "measure", "on_response")

    def __init__(self, telemetry: Telemetry, carrier: Carrier, path: str, recorder: DetailedRecorder) -> None:
        self._details = RequestDetails(telemetry.server_metrics.details, recorder, self, _header_of)
        self._route_of: Callable[[Any], str | None] | None = None
        self.on_response: Callable[[Any], object] | None = None
        self.measure: Callable[[], object] | None = None
        super().__init__(telemetry, carrier, path, cast("RequestRecorder", self._details))

    def note_request(self, request: object, route_of: Callable[[Any], str | None]) -> None:
        """Tell the framework's request, which has a mapping ``headers``, and what names its route."""
        self._details.source, self._route_of = request, route_of

    @property
    def response(self) -> Any:
        """The response that has started."""
        return self._response

    @response.setter
    def response(self, response: Any) -> None:
        self._response = response
        if self.on_response is not None:
            self.on_response(response)

    def note_start(self) -> None:
        """Tell that the response begins: its first byte is sent."""
        if self._details.first_byte is None:
            self._details.first_byte = perf_counter() - self._started

    def add_received(self, count: int) -> None:
        """Add to the bytes of the body of the request."""
        self._details.received += count

    def add_sent(self, count: int | None) -> None:
        """Add to the bytes of the body of the response; None if their number cannot be known."""
        known = self._details.sent
        self._details.sent = None if known is None or count is None else known + count

    def template_now(self) -> str | None:
        """The template of the request in progress."""
        source = self._details.source
        if self.route is not None or self._route_of is None or source is None:
            return self.route
        return self._route_of(source)

    def _record(self, status: int, error: str | None) -> None:
        try:
            if self.measure is not None:
                self.measure()
        except Exception as failure:
            self._details.errors.error("measuring a request", failure)
        self.measure = self.on_response = None
        super()._record(status, error)


class TracedDetailedServedRequest(TracedRequest, DetailedServedRequest):
    """A `DetailedServedRequest` that is recorded as part of the span that was active when it arrived."""

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


class Requests:
    """Begins the requests of one app."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._metrics = telemetry.server_metrics
        self._excluded = PathFilter(telemetry.settings).excluded
        self._type: type[ServedRequest] = ServedRequest
        self._traced_type: type[ServedRequest] = TracedServedRequest
        self._metrics.details.on_wanted(self._record_in_detail)
        self._metrics.exemplars.on_active(self._record_in_spans)

    def on_detailed(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when requests become `DetailedServedRequest`, or now. It is held weakly."""
        self._metrics.details.on_wanted(listener)

    def begin(
        self, carrier: Carrier, method: str, path: str, scheme: str = "http", version: str | None = None
    ) -> ServedRequest | None:
        """Begin a request; None if it is not recorded, because of its path or because it already is.

        ``version`` is that of HTTP, such as ``1.1``. Never raises.
        """
        if not self._telemetry.enabled or self._excluded(path) or self.find(carrier) is not None:
            return None
        recorder = self._metrics.by_method.get(method) or self._metrics.recorder_for(method, scheme, version)
        return self._type(self._telemetry, carrier, path, recorder)

    def begin_websocket(self, carrier: Carrier, path: str, scheme: str) -> ServedRequest | None:
        """Begin a websocket in place of the request that asked for it; None if it is not recorded."""
        if not self._telemetry.enabled or self._excluded(path):
            return None
        asked = self.find(carrier)
        if asked is not None:
            asked.cancel()
        recorder = self._metrics.websocket_recorder("wss" if scheme in ("https", "wss") else "ws")
        kind = CountedOpenWebsocket if self._metrics.records_websockets else OpenWebsocket
        return kind(self._telemetry, carrier, path, recorder)

    def find(self, carrier: Carrier) -> ServedRequest | None:
        """The request that was begun last with this carrier."""
        of_ours = (each for each in markers(carrier) if each.telemetry is self._telemetry)
        found = next(of_ours, None)
        return found if isinstance(found, ServedRequest) else None

    def _record_in_detail(self) -> None:
        is_traced = self._type is self._traced_type
        self._traced_type = TracedDetailedServedRequest
        self._type = TracedDetailedServedRequest if is_traced else DetailedServedRequest

    def _record_in_spans(self) -> None:
        self._type = self._traced_type


def _header_of(request: Any, name: str) -> str | None:
    value: str | None = getattr(request, "headers", {}).get(name)
    return value


def exclude(carrier: Carrier) -> None:
    """Do not record a request that has begun: it is one for the metrics page."""
    for marker in markers(carrier):
        marker.exclude()


async def answer_scrape(
    telemetry: Telemetry, method: str, headers: Mapping[str, str], query: str, client: str | None
) -> ScrapeResponse:
    """Answer a scrape; ``client`` is the address of the peer.

    Waits without a thread while the page is rendered outside of the event loop. The answer is a 404 if
    ``prometheus`` is not among the exporters. Never raises.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    return await respond(telemetry, ScrapeRequest(method, lower, query, client))
