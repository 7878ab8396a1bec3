"""The metrics of websockets that have ended. OpenTelemetry's semantic conventions have none for them.

They are named by the same pattern as those of requests. Active websockets are counted among the requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from dualmetrics.http.request_attributes import OTHER, AnyResponse, RequestAttributes
from dualmetrics.http.semantic_conventions import (
    UNMATCHED,
    AttributeOptions,
    Classic,
    Convention,
    RequestMetrics,
)
from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind

BUCKETS = (0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
"""The bounds of the duration, in seconds. A websocket may be open for days."""

ACCEPTED = int(HTTPStatus.SWITCHING_PROTOCOLS)
REJECTED = int(HTTPStatus.FORBIDDEN)
"""The status of a handshake that the app has refused without a response of its own (ASGI, *Close*)."""

NO_STATUS_RECEIVED, ABNORMAL_CLOSURE, INTERNAL_ERROR, NORMAL_CLOSURE = 1005, 1006, 1011, 1000

_REGISTERED = frozenset((*range(1000, 1016), 3000, 3003, 3008))
"""The close codes that IANA has registered."""

_OF_APPS = range(3000, 5000)


def close_code(code: object, *, is_of_app: bool) -> str:
    """Return a close code as it is recorded.

    A client may send any number, so only registered codes of clients are kept. An app may use its own.
    """
    if not isinstance(code, int) or not (code in _REGISTERED or (is_of_app and code in _OF_APPS)):
        return OTHER
    return str(int(code))


def websocket_conventions(
    conventions: Iterable[Convention], options: AttributeOptions
) -> tuple[Convention, ...]:
    """Return the conventions for websockets beside those for requests."""
    return tuple(_WebsocketConvention(convention, options) for convention in conventions)


class _WebsocketConvention:
    """The active requests of a convention, and the metrics of websockets.

    The ``error`` of a response is the close code, None if the handshake was rejected.
    """

    only_method_matters = False

    def __init__(self, convention: Convention, options: AttributeOptions) -> None:
        self._options = options
        self._is_classic = isinstance(convention, Classic)
        self.active_requests = convention.active_requests
        self.active_attributes = convention.active_attributes
        description = "Duration of websockets."
        if self._is_classic:
            count = Descriptor(
                OWN_SCOPE,
                "http.websockets",
                Kind.COUNTER,
                "{connection}",
                "Websockets, and refused handshakes.",
            )
            name, unit, scale = "http.websocket.duration", "ms", 1000.0
        else:
            count, name, unit, scale = None, "http.server.websocket.duration", "s", 1.0
        bounds = tuple(bound * scale for bound in BUCKETS)
        duration = Descriptor(OWN_SCOPE, name, Kind.HISTOGRAM, unit, description, bounds)
        self.request_metrics = RequestMetrics(count, duration, scale)

    def attributes(self, request: RequestAttributes, response: AnyResponse) -> Attributes:
        """Return the route, the status of the handshake, and the close code."""
        route = None if response.route is None else clean_text(response.route)
        status = self._options.status(response.status)
        values: dict[str, AttributeValue | None]
        if self._is_classic:
            values = {"http.route": route or UNMATCHED, "http.status_code": status}
        else:
            values = {"http.response.status_code": status, "http.route": route, "url.scheme": request.scheme}
        values["websocket.close_code"] = response.error
        return tuple((key, value) for key, value in values.items() if value is not None)
