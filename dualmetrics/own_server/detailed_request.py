"""A request of which an integration tells more than its route, status and duration."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from dualmetrics.http.marker import Carrier
from dualmetrics.http.request_details import RequestDetails
from dualmetrics.http.traced_request import TracedRequest
from dualmetrics.own_server.served_request import ServedRequest

if TYPE_CHECKING:
    from dualmetrics.http.detailed_recorder import DetailedRecorder
    from dualmetrics.http.request_recorder import RequestRecorder
    from dualmetrics.telemetry import Telemetry


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


def _header_of(request: Any, name: str) -> str | None:
    value: str | None = getattr(request, "headers", {}).get(name)
    return value
