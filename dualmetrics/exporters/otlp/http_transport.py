"""OTLP over HTTP: the official exporter sends messages that were encoded here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualmetrics.exporters.otlp.encoder import OtlpEncoder
from dualmetrics.exporters.otlp.endpoint import Endpoint
from dualmetrics.exporters.otlp.result import ResponseSummary
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.exporters.otlp.transport import Transport

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.metrics.export import MetricExporter


def http_transport(endpoint: Endpoint, is_delta: IsDelta) -> Transport:
    """The official exporter, with a session that replaces the bodies of its requests."""
    from dualmetrics.exporters.otlp.packed_session import PackedSession  # loads requests, which is slow

    responses = Responses()
    session = PackedSession(OtlpEncoder(is_delta), responses)
    return Transport(_http_exporter(endpoint, session), session.messages, responses)


def _http_exporter(endpoint: Endpoint, session: requests.Session) -> MetricExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    # The exporter appends the path to the URL in its variable, but not to its argument.
    url = endpoint.url if endpoint.is_signal else endpoint.url.rstrip("/") + "/v1/metrics"
    return OTLPMetricExporter(
        endpoint=url,
        headers=endpoint.lower_case_headers,
        timeout=endpoint.timeout,
        compression=None if endpoint.compression is None else Compression(endpoint.compression),
        session=session,
    )


class Responses(ResponseSummary):
    """Summarizes the HTTP responses to one push.

    The official exporter treats a redirect as a success, although nobody has received the points. It ignores
    the body of a successful response, where a Collector reports rejected points (OTLP, "Partial success").
    And when it gives up, it does not say why it retried.
    """

    def record_error(self, error: Exception) -> None:
        """Record that a request got no response."""
        self.failure = f"{type(error).__name__}: {error}"

    def record(self, response: requests.Response) -> None:
        """Record a response."""
        self.failure = ""
        if 200 <= response.status_code < 300:
            self._record_partial_success(response.content)
        else:
            self.failure = f"HTTP {response.status_code} {response.reason}"

    def _record_partial_success(self, body: bytes) -> None:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        try:
            partial = ExportMetricsServiceResponse.FromString(body).partial_success
        except DecodeError:  # not a Collector's response; the status says success
            return
        self.rejected += partial.rejected_data_points
        self.reason = partial.error_message or self.reason
