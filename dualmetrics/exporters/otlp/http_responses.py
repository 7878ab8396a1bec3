"""What a Collector answers to a push over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualmetrics.exporters.otlp.result import ResponseSummary

if TYPE_CHECKING:
    import requests


_TOO_LARGE = 413

_BODY_TOO_LARGE = b"request body too large"
"""What the HTTP server of Go says, in a response with status 400, where a Collector limits its requests."""


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
            is_bad_request = response.status_code == 400
            self.too_large = response.status_code == _TOO_LARGE or (
                is_bad_request and _BODY_TOO_LARGE in response.content
            )

    def _record_partial_success(self, body: bytes) -> None:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        try:
            partial = ExportMetricsServiceResponse.FromString(body).partial_success
        except DecodeError:  # not a Collector's response; the status says success
            return
        self.reject(partial.rejected_data_points, partial.error_message or self.reason)
