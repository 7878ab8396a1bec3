"""A place that snapshots are pushed to: an OTLP endpoint, or the console."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dualmetrics.exporters.otlp.endpoint import Endpoint, grpc_exporter, http_exporter
from dualmetrics.exporters.otlp.grpc_transport import SummaryClient
from dualmetrics.exporters.otlp.messages import Messages, objects
from dualmetrics.exporters.otlp.result import CapturedLog, ExportResult, Responses, caught
from dualmetrics.exporters.otlp.sdk_model import always_cumulative
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.redaction import redact_secrets

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData


class OtlpExporter:
    """Pushes through an official exporter, and tells what became of it. Never raises.

    Built in the process and thread that push: connections and gRPC's threads do not survive a fork.
    """

    def __init__(
        self,
        exporter: MetricExporter,
        messages: Messages,
        responses: Responses | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._exporter = exporter
        self._messages = messages
        self._responses = responses or Responses()
        self._secrets = secrets

    def export(self, snapshot: Snapshot) -> ExportResult:
        """Push one snapshot, as long as the official exporter tries (``timeout``, for each of its messages).

        After the first message that fails the others are not tried.
        """
        self._responses.begin()
        with caught(self._exporter) as log:
            try:
                success = all(map(self._send, self._messages(snapshot)))
            except Exception as error:
                success = False
                log.lines.append(f"{type(error).__name__}: {error}")
        return ExportResult(
            success, self._responses.rejected, redact_secrets(self._secrets, self._message(log, success))
        )

    def shutdown(self) -> None:
        """End connections, and the waiting of an export that another thread is in. Returns at once."""
        with caught(self._exporter) as log:
            try:
                self._exporter.shutdown(timeout_millis=0)
            except Exception as error:  # a connection that does not end in good order is of no use to anybody
                log.lines.append(f"{type(error).__name__}: {error}")

    def _send(self, message: MetricsData) -> bool:
        from opentelemetry.sdk.metrics.export import MetricExportResult

        result = self._exporter.export(message)
        return result is MetricExportResult.SUCCESS and not self._responses.failure

    def _message(self, log: CapturedLog, success: bool) -> str:
        seen = self._responses
        return seen.reason if success else seen.failure or log.text


def otlp_target(
    endpoint: str,
    is_signal: bool,
    protocol: str,
    headers: Mapping[str, str] | None,
    is_delta: IsDelta = always_cumulative,
    *,
    timeout: float | None = None,
    compression: str | None = None,
    insecure: bool | None = None,
) -> OtlpExporter:
    """The Collector at ``endpoint``; see `Endpoint`."""
    there = Endpoint(endpoint, is_signal, headers, timeout, compression, insecure)
    responses = Responses()
    # Nothing public shows a partial success over gRPC: channel and stub are the exporter's own, it takes no
    # interceptors, and it drops the response.
    if protocol == "grpc":
        return OtlpExporter(
            grpc_exporter(there), objects(is_delta, SummaryClient(there)), responses, _secrets(there)
        )
    from dualmetrics.exporters.otlp.http_transport import BodySwap  # which loads protobuf

    bodies = BodySwap(is_delta)
    exporter = http_exporter(there, responses, bodies)
    return OtlpExporter(exporter, bodies.messages, responses, _secrets(there))


def console_target(is_delta: IsDelta = always_cumulative) -> OtlpExporter:
    """Standard output, as JSON (OTEL_METRICS_EXPORTER=console)."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    return OtlpExporter(ConsoleMetricExporter(out=sys.stdout), objects(is_delta))


def _secrets(endpoint: Endpoint) -> tuple[str, ...]:
    """What may not get into the log: header values, word by word, and what a URL may carry."""
    url = urlsplit(endpoint.url)
    headers = (endpoint.headers or {}).values()
    words = (word for value in headers for word in value.split())  # a Collector may repeat the token alone
    return (*headers, *words, url.password or "", url.query)
