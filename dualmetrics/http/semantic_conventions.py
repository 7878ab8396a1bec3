"""The names, units and attributes of the HTTP metrics: our ``classic``, and OpenTelemetry's ``semconv``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dualmetrics.http.request_attributes import OTHER, WEBSOCKET, AnyResponse, RequestAttributes
from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind

UNMATCHED = "unmatched"
"""The route, under ``classic``, of a request that no route of the app matched."""


class RequestMetrics(NamedTuple):
    """The metrics of finished requests.

    ``requests`` is the counter, None if the count of the histogram replaces it. ``scale`` converts seconds to
    the unit of the histogram.
    """

    requests: Descriptor | None
    duration: Descriptor
    scale: float


class AttributeOptions(NamedTuple):
    """The settings of the same names: status codes by their first digit, and ``error.type`` in `Classic`."""

    grouped_status: bool = False
    classic_error_type: bool = False

    def status(self, status: int) -> int | str:
        """The status as it is recorded."""
        if not 100 <= status <= 599:
            return OTHER
        return f"{status // 100}xx" if self.grouped_status else status


NO_OPTIONS = AttributeOptions()


class Convention(Protocol):
    """Names the HTTP metrics, and returns their attributes in canonical form (sorted by key)."""

    active_requests: Descriptor
    request_metrics: RequestMetrics
    only_method_matters: bool
    """Whether the method is the only one of the `RequestAttributes` that becomes an attribute."""

    def active_attributes(self, request: RequestAttributes) -> Attributes: ...

    def attributes(self, request: RequestAttributes, response: AnyResponse) -> Attributes: ...


class Classic:
    """``http.requests``, ``http.request.duration`` (milliseconds), ``http.connections.active``."""

    only_method_matters = True

    def __init__(self, buckets: Sequence[float], options: AttributeOptions = NO_OPTIONS) -> None:
        self._options = options
        bounds = tuple(float(f"{bound * 1000:.12g}") for bound in buckets)
        self.active_requests = Descriptor(
            OWN_SCOPE,
            "http.connections.active",
            Kind.UP_DOWN_COUNTER,
            "{connection}",
            "Active HTTP connections.",
        )
        self.request_metrics = RequestMetrics(
            Descriptor(OWN_SCOPE, "http.requests", Kind.COUNTER, "{request}", "HTTP requests."),
            Descriptor(
                OWN_SCOPE, "http.request.duration", Kind.HISTOGRAM, "ms", "Duration of HTTP requests.", bounds
            ),
            1000.0,
        )

    def active_attributes(self, request: RequestAttributes) -> Attributes:
        """Return the method."""
        return (("http.method", request.method),)

    def attributes(self, request: RequestAttributes, response: AnyResponse) -> Attributes:
        """Return method, route and status, and the class of an exception if the option asks for it."""
        attributes: Attributes = (
            ("http.method", request.method),
            ("http.route", UNMATCHED if response.route is None else clean_text(response.route)),
            ("http.status_code", self._options.status(response.status)),
        )
        if response.error is None or not self._options.classic_error_type:
            return attributes
        return (("error.type", response.error), *attributes)


class Semconv:
    """OpenTelemetry's stable HTTP semantic conventions for servers. Durations are in seconds."""

    only_method_matters = False

    def __init__(self, buckets: Sequence[float], options: AttributeOptions = NO_OPTIONS) -> None:
        self._options = options
        self.active_requests = Descriptor(
            OWN_SCOPE,
            "http.server.active_requests",
            Kind.UP_DOWN_COUNTER,
            "{request}",
            "Number of active HTTP server requests.",
        )
        duration = Descriptor(
            OWN_SCOPE,
            "http.server.request.duration",
            Kind.HISTOGRAM,
            "s",
            "Duration of HTTP server requests.",
            tuple(float(bound) for bound in buckets),
        )
        self.request_metrics = RequestMetrics(None, duration, 1.0)

    def active_attributes(self, request: RequestAttributes) -> Attributes:
        """Return method and scheme. A websocket begins as a GET request, and its scheme is ws or wss."""
        method = "GET" if request.method == WEBSOCKET else request.method
        return (("http.request.method", method), ("url.scheme", request.scheme))

    def attributes(self, request: RequestAttributes, response: AnyResponse) -> Attributes:
        """Return the attributes of the conventions.

        ``http.route`` is set only if a route matched, and ``error.type`` only for an exception or a status
        from 500 on.
        """
        status = self._options.status(response.status)
        server_error = str(status) if 500 <= response.status <= 599 else None
        values: dict[str, AttributeValue | None] = {
            "error.type": response.error or server_error,
            "http.request.method": request.method,
            "http.response.status_code": status,
            "http.route": None if response.route is None else clean_text(response.route),
            "network.protocol.version": request.version,
            "url.scheme": request.scheme,
        }
        return tuple((key, value) for key, value in values.items() if value is not None)


def conventions_for(
    name: str, buckets: Sequence[float], options: AttributeOptions = NO_OPTIONS
) -> tuple[Convention, ...]:
    """Return the conventions for a value of DUALMETRICS_CONVENTION. ``buckets`` are bounds in seconds."""
    if name == "both":
        return Classic(buckets, options), Semconv(buckets, options)
    return (Semconv(buckets, options),) if name == "semconv" else (Classic(buckets, options),)
