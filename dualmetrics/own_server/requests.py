"""Begins the requests of an app."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dualmetrics.http.marker import Carrier, markers
from dualmetrics.http.path_filter import PathFilter
from dualmetrics.own_server.detailed_request import DetailedServedRequest, TracedDetailedServedRequest
from dualmetrics.own_server.served_request import (
    CountedOpenWebsocket,
    OpenWebsocket,
    ServedRequest,
    TracedServedRequest,
)

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry


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


def exclude(carrier: Carrier) -> None:
    """Do not record a request that has begun: it is one for the metrics page."""
    for marker in markers(carrier):
        marker.exclude()
