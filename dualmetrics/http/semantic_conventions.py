"""The HTTP metrics by name, unit and attributes: ``classic``, and OpenTelemetry's ``semconv``.

What a client sends never becomes an attribute as it is: methods, schemes and protocol versions are
normalised here to closed sets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind

OTHER = "_OTHER"
"""What stands for a value outside its closed set (HTTP semantic conventions, *http.request.method*)."""

UNMATCHED = "unmatched"
"""The route, under ``classic``, of all requests that no route of the app took."""

WEBSOCKET = "WEBSOCKET"
"""The method, under ``classic``, of a websocket's connection."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))
"""Methods that are named: RFC 9110, PATCH (RFC 5789) and QUERY; they are case-sensitive."""

SCHEMES = frozenset(("http", "https", "ws", "wss"))
VERSIONS = frozenset(("0.9", "1.0", "1.1", "2", "3"))


class RequestAttributes(NamedTuple):
    """What is known of a request when it arrives. ``version`` is the protocol's; None if unknown."""

    method: str
    scheme: str
    version: str | None

    def normalized(self, methods: Collection[str] = METHODS) -> RequestAttributes:
        """The same in values of the closed sets."""
        return RequestAttributes(
            self.method if self.method in methods else OTHER,
            self.scheme if self.scheme in SCHEMES else OTHER,
            self.version if self.version in VERSIONS else None,
        )


class ResponseAttributes(NamedTuple):
    """What is known of a request when it has ended. ``error`` is the class of an exception."""

    route: str | None
    status: int
    error: str | None


class RequestMetrics(NamedTuple):
    """The metrics of one request's end. ``requests`` is None where the histogram's count says it all.

    ``scale`` makes the histogram's unit of seconds.
    """

    requests: Descriptor | None
    duration: Descriptor
    scale: float


class Convention(Protocol):
    """Names the metrics, and gives their attributes in canonical form."""

    active: Descriptor
    measure: RequestMetrics
    method_decides: bool
    """Whether of a request's origin only the method becomes an attribute."""

    def active_attributes(self, origin: RequestAttributes) -> Attributes: ...

    def attributes(self, origin: RequestAttributes, outcome: ResponseAttributes) -> Attributes: ...


class Classic:
    """``http.requests``, ``http.request.duration`` (milliseconds), ``http.connections.active``."""

    method_decides = True

    def __init__(self, buckets: Sequence[float]) -> None:
        bounds = tuple(float(f"{bound * 1000:.12g}") for bound in buckets)
        self.active = Descriptor(
            OWN_SCOPE,
            "http.connections.active",
            Kind.UP_DOWN_COUNTER,
            "{connection}",
            "HTTP connections under way.",
        )
        self.measure = RequestMetrics(
            Descriptor(OWN_SCOPE, "http.requests", Kind.COUNTER, "{request}", "HTTP requests."),
            Descriptor(
                OWN_SCOPE, "http.request.duration", Kind.HISTOGRAM, "ms", "Duration of HTTP requests.", bounds
            ),
            1000.0,
        )

    def active_attributes(self, origin: RequestAttributes) -> Attributes:
        """The method alone."""
        return (("http.method", origin.method),)

    def attributes(self, origin: RequestAttributes, outcome: ResponseAttributes) -> Attributes:
        """Method, route and status."""
        return (
            ("http.method", origin.method),
            ("http.route", UNMATCHED if outcome.route is None else clean_text(outcome.route)),
            ("http.status_code", _status(outcome.status)),
        )


class Semconv:
    """OpenTelemetry's stable HTTP semantic conventions for servers, durations in seconds."""

    method_decides = False

    def __init__(self, buckets: Sequence[float]) -> None:
        self.active = Descriptor(
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
        self.measure = RequestMetrics(None, duration, 1.0)

    def active_attributes(self, origin: RequestAttributes) -> Attributes:
        """Method and scheme. A websocket begins as a GET, which its scheme tells from the others."""
        method = "GET" if origin.method == WEBSOCKET else origin.method
        return (("http.request.method", method), ("url.scheme", origin.scheme))

    def attributes(self, origin: RequestAttributes, outcome: ResponseAttributes) -> Attributes:
        """``http.route`` only where one matched; ``error.type`` for exceptions and statuses from 500."""
        found: dict[str, AttributeValue | None] = {
            "error.type": outcome.error or (str(outcome.status) if 500 <= outcome.status <= 599 else None),
            "http.request.method": origin.method,
            "http.response.status_code": _status(outcome.status),
            "http.route": None if outcome.route is None else clean_text(outcome.route),
            "network.protocol.version": origin.version,
            "url.scheme": origin.scheme,
        }
        return tuple((key, value) for key, value in found.items() if value is not None)


def conventions(name: str, buckets: Sequence[float]) -> tuple[Convention, ...]:
    """The conventions that DUALMETRICS_CONVENTION's value ``name`` stands for."""
    if name == "both":
        return Classic(buckets), Semconv(buckets)
    return (Semconv(buckets),) if name == "semconv" else (Classic(buckets),)


def error_type(error: BaseException) -> str:
    """The exception's class by its full name; a builtin's by its short one.

    A group of one is what task groups make of an exception: its member is meant. (Told by the attribute,
    because Python 3.10 has no exception groups of its own.)
    """
    members = getattr(error, "exceptions", None)
    if isinstance(members, tuple) and len(members) == 1:
        return error_type(members[0])
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _status(status: int) -> int | str:
    return status if 100 <= status <= 599 else OTHER


CLIENT_GONE = 499
"""The status of a request whose client left before the response began."""
