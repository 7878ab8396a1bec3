"""The destinations of a push: an OTLP endpoint, or the console."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dualmetrics.exporters.otlp.batching import sdk_messages
from dualmetrics.exporters.otlp.endpoint import Endpoint, TlsFiles
from dualmetrics.exporters.otlp.grpc_transport import grpc_transport
from dualmetrics.exporters.otlp.log_capture import CapturedLog, capture_log
from dualmetrics.exporters.otlp.result import ExportResult, ResponseSummary
from dualmetrics.exporters.otlp.suppression import suppress_instrumentation
from dualmetrics.exporters.otlp.temporality import IsDelta, always_cumulative
from dualmetrics.exporters.otlp.transport import Transport
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime.redaction import redact_secrets

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData


class OtlpExporter:
    """Pushes snapshots through an official exporter. Never raises.

    Create it in the process and thread that pushes: connections and gRPC's threads do not survive a fork.
    """

    def __init__(self, transport: Transport, secrets: tuple[str, ...] = ()) -> None:
        """``secrets`` are removed from the messages of results."""
        self._exporter, self._messages, self._responses, self._close = transport
        self._secrets = secrets

    def export(self, snapshot: Snapshot) -> ExportResult:
        """Push a snapshot. Blocks while the official exporter retries: up to its timeout for each message.

        The first message that fails ends the push.
        """
        self._responses.reset()
        with suppress_instrumentation(), capture_log(self._exporter) as log:
            try:
                success = all(self._send(message, log) for message in self._messages(snapshot))
            except Exception as error:
                success = False
                log.lines.append(f"{type(error).__name__}: {error}")
        success = success and not self._responses.too_large
        message = redact_secrets(self._secrets, self._message(log, success))
        return ExportResult(success, self._responses.rejected, message)

    def shutdown(self) -> None:
        """Close the connections, and end an export that waits in another thread. Returns at once."""
        with capture_log(self._exporter) as log:
            try:
                self._exporter.shutdown(timeout_millis=0)
                self._close()
            except Exception as error:  # nobody needs to know that a connection was not closed properly
                log.lines.append(f"{type(error).__name__}: {error}")

    def _send(self, message: MetricsData, log: CapturedLog) -> bool:
        """Send one message. Return False if that failed, and is not mended by sending it in parts."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        responses, seen = self._responses, len(log.lines)
        result = self._exporter.export(message)
        responses.read_log(log.lines[seen:])
        return responses.too_large or (result is MetricExportResult.SUCCESS and not responses.failure)

    def _message(self, log: CapturedLog, success: bool) -> str:
        responses = self._responses
        return responses.reason if success else responses.failure or log.text


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
    tls: TlsFiles | None = None,
) -> OtlpExporter:
    """The Collector at ``endpoint``. For the arguments see `Endpoint`."""
    collector = Endpoint(endpoint, is_signal, headers, timeout, compression, insecure, tls)
    if protocol == "grpc":
        return OtlpExporter(grpc_transport(collector, is_delta), _secrets(collector))
    from dualmetrics.exporters.otlp.http_transport import http_transport  # loads protobuf

    return OtlpExporter(http_transport(collector, is_delta), _secrets(collector))


def console_target(is_delta: IsDelta = always_cumulative) -> OtlpExporter:
    """Standard output, as JSON (OTEL_METRICS_EXPORTER=console)."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    exporter = ConsoleMetricExporter(out=sys.stdout)
    return OtlpExporter(Transport(exporter, sdk_messages(is_delta), ResponseSummary()))


def _secrets(endpoint: Endpoint) -> tuple[str, ...]:
    """The secrets that must not be logged: header values and their words, and the secrets in the URL."""
    url = urlsplit(endpoint.url)
    headers = (endpoint.headers or {}).values()
    words = (word for value in headers for word in value.split())  # a Collector may quote the token alone
    return (*headers, *words, url.password or "", url.query)
