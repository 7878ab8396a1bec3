"""A place that snapshots are pushed to: an OTLP endpoint, or the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dualmetrics.exporters.otlp import always_cumulative, grpc_exporter, http_exporter, to_metrics_data
from dualmetrics.exporters.outcome import Outcome, Responses, caught, without
from dualmetrics.exporters.temporality import IsDelta
from dualmetrics.snapshot import Snapshot

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter


class Target:
    """Pushes through an official exporter, and tells what became of it. Never raises.

    Built in the process and thread that push: connections and gRPC's threads do not survive a fork.
    """

    def __init__(
        self, exporter: MetricExporter, responses: Callable[[], Responses], secrets: tuple[str, ...], is_delta: IsDelta
    ) -> None:
        self._exporter = exporter
        self._responses = responses
        self._secrets = secrets
        self._is_delta = is_delta

    def export(self, snapshot: Snapshot) -> Outcome:
        """Push one snapshot, as long as the official exporter tries (OTEL_EXPORTER_OTLP_TIMEOUT)."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        responses = self._responses()
        with caught(self._exporter) as log:
            try:
                result = self._exporter.export(to_metrics_data(snapshot, self._is_delta))
                success = result is MetricExportResult.SUCCESS and not responses.redirected
            except Exception as error:
                success, log.last = False, f"{type(error).__name__}: {error}"
        message = responses.redirected or responses.reason or log.last
        return Outcome(success, responses.rejected, without(self._secrets, message))


def otlp_target(
    endpoint: str,
    is_signal: bool,
    protocol: str,
    headers: Mapping[str, str] | None,
    is_delta: IsDelta = always_cumulative,
) -> Target:
    """The Collector at ``endpoint``; ``is_signal``: it is the whole URL, not a base."""
    secrets = tuple((headers or {}).values())
    if protocol == "grpc":
        # The channel is the exporter's own: there is no public way to see a partial success over gRPC.
        return Target(grpc_exporter(endpoint, headers), Responses, secrets, is_delta)
    current = [Responses()]

    def begin() -> Responses:
        current[0] = Responses()
        return current[0]

    exporter = http_exporter(endpoint, is_signal, headers, lambda response: current[0].take(response))
    return Target(exporter, begin, secrets, is_delta)


def console_target(is_delta: IsDelta = always_cumulative) -> Target:
    """Standard output, as JSON (OTEL_METRICS_EXPORTER=console)."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    return Target(ConsoleMetricExporter(), Responses, (), is_delta)
