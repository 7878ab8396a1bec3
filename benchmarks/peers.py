"""What several contestants need of the libraries beside ours."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from benchmarks.collector import COLLECTOR_ADDRESS

INTERVAL = 1000
"""Milliseconds between two pushes, for everybody who pushes."""

OTEL = ("opentelemetry-sdk", "opentelemetry-exporter-prometheus", "opentelemetry-exporter-otlp")


def multiprocess() -> str:
    """Turn prometheus_client's multiprocess mode on; call it before anything imports that."""
    directory = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp()
    return directory


def both_exports() -> dict[str, Any]:
    """Settings of ours: the page is on by default, and the push goes to the sink."""
    return {"endpoint": os.environ[COLLECTOR_ADDRESS], "export_interval": INTERVAL}


def otel_provider(*, push: bool) -> Any:
    """The SDK's MeterProvider with a Prometheus reader, and with one that pushes too."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider

    readers: list[Any] = [PrometheusMetricReader()]
    if push:
        readers.append(otlp_reader())
    return MeterProvider(readers)


def otlp_reader(interval: float = INTERVAL) -> Any:
    """The SDK's reader that pushes to the sink."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(endpoint=f"{os.environ[COLLECTOR_ADDRESS]}/v1/metrics")
    return PeriodicExportingMetricReader(exporter, export_interval_millis=interval)


def stable_conventions() -> None:
    """OpenTelemetry's instrumentation is to record what its stable conventions say, as ours does."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"


class ByHand:
    """prometheus_client as its documentation shows it, with the children kept: no ``labels()`` a request."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        from benchmarks.floors import BOUNDS

        labels = ("method", "route", "status")
        self.requests = Counter("requests", "Requests.", labels)
        self.duration = Histogram("duration_milliseconds", "Duration.", labels, buckets=BOUNDS)
        self.active = Gauge("active", "Under way.", multiprocess_mode="livesum")
        self.children: dict[tuple[str, ...], tuple[Any, Any]] = {}

    def record(self, key: tuple[str, ...], milliseconds: float) -> None:
        """Count a request that has ended."""
        self.active.dec()
        children = self.children.get(key)
        if children is None:
            children = self.children[key] = self.requests.labels(*key), self.duration.labels(*key)
        counter, histogram = children
        counter.inc()
        histogram.observe(milliseconds)
