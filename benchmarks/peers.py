"""Helpers for contestants, mostly around the other libraries."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.collector import COLLECTOR_ADDRESS

INTERVAL = 1000
"""Milliseconds between two pushes, for every contestant that pushes."""

OTEL = ("opentelemetry-sdk", "opentelemetry-exporter-prometheus", "opentelemetry-exporter-otlp")


def turn_multiprocess_on() -> str:
    """Turn prometheus_client's multiprocess mode on, before anything imports it. Returns its directory."""
    directory = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp()
    return directory


def multiprocess_page() -> Callable[[], bytes]:
    """Turn the multiprocess mode on. Returns a function that renders the page of all workers."""
    directory = turn_multiprocess_on()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    def render() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    return render


def both_exports() -> dict[str, Any]:
    """Our settings for both exports: the page is on by default, and the push goes to the Collector."""
    return {"endpoint": os.environ[COLLECTOR_ADDRESS], "export_interval": INTERVAL}


def otel_provider(*, push: bool) -> Any:
    """The SDK's MeterProvider with a Prometheus reader and, with ``push``, an OTLP reader."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider

    readers: list[Any] = [PrometheusMetricReader()]
    if push:
        readers.append(otlp_reader())
    return MeterProvider(readers)


def otlp_reader(interval: float = INTERVAL) -> Any:
    """The SDK's reader that pushes to the Collector."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(endpoint=f"{os.environ[COLLECTOR_ADDRESS]}/v1/metrics")
    return PeriodicExportingMetricReader(exporter, export_interval_millis=interval)


def use_stable_conventions() -> None:
    """Let OpenTelemetry's instrumentation record the stable conventions, as ours does."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"


class HandWrittenMetrics:
    """prometheus_client as its documentation shows it, but without calling ``labels()`` for each request."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        from benchmarks.floors import BOUNDS

        labels = ("method", "route", "status")
        self.requests = Counter("requests", "Requests.", labels)
        self.duration = Histogram("duration_milliseconds", "Duration.", labels, buckets=BOUNDS)
        self.active = Gauge("active", "Requests in progress.", multiprocess_mode="livesum")
        self.children: dict[tuple[str, ...], tuple[Any, Any]] = {}

    def record(self, key: tuple[str, ...], milliseconds: float) -> None:
        """Record a finished request."""
        self.active.dec()
        children = self.children.get(key)
        if children is None:
            children = self.children[key] = self.requests.labels(*key), self.duration.labels(*key)
        counter, histogram = children
        counter.inc()
        histogram.observe(milliseconds)
