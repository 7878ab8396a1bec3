"""Records with the OpenTelemetry SDK, and returns a snapshot and the page of its Prometheus exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest

from dualmetrics.exporters.prometheus import Page
from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot


def recorded(record: Callable[[Meter], None]) -> tuple[Snapshot, Page]:
    """Call ``record`` with a meter, and return a snapshot and the page of OpenTelemetry's exporter."""
    registry = CollectorRegistry()
    memory, prometheus = InMemoryMetricReader(), PrometheusMetricReader(registry=registry)
    resource = Resource({"service.name": "shop", "service.instance.id": "i-1", "host.cpus": 8})
    provider = MeterProvider([memory, prometheus], resource, shutdown_on_exit=False)
    record(provider.get_meter("shop", "1.0", "https://example.com", {"team": "a"}))
    page = Page("text/plain", [generate_latest(registry)])
    families = tuple(_families(memory))
    provider.shutdown()
    return Snapshot(1, _attributes(resource.attributes), families), page


def _families(reader: InMemoryMetricReader) -> Iterator[Family]:
    data = reader.get_metrics_data()
    for of_resource in data.resource_metrics if data else ():
        for of_scope in of_resource.scope_metrics:
            given = of_scope.scope
            scope = InstrumentationScope(
                given.name, given.version or "", given.schema_url or "", _attributes(given.attributes or {})
            )
            for metric in of_scope.metrics:
                points = tuple(_point(point) for point in metric.data.data_points)
                yield Family(_descriptor(scope, metric), points)


def _descriptor(scope: InstrumentationScope, metric: Metric) -> Descriptor:
    bounds: tuple[float, ...] = ()
    kind = Kind.GAUGE
    if isinstance(metric.data, Sum):
        kind = Kind.COUNTER if metric.data.is_monotonic else Kind.UP_DOWN_COUNTER
    if isinstance(metric.data, Histogram):
        kind, bounds = Kind.HISTOGRAM, tuple(metric.data.data_points[0].explicit_bounds)
    assert kind is not Kind.GAUGE or isinstance(metric.data, Gauge)
    return Descriptor(scope, metric.name, kind, metric.unit or "", metric.description or "", bounds)


def _point(point: object) -> Point:
    if isinstance(point, HistogramDataPoint):
        return Point(_attributes(point.attributes), 1, (*map(float, point.bucket_counts), point.sum))
    assert isinstance(point, NumberDataPoint)
    return Point(_attributes(point.attributes), 1, (float(point.value), 1.0))


def _attributes(given: object) -> Attributes:
    assert hasattr(given, "items")
    pairs: list[tuple[str, AttributeValue]] = [
        (key, tuple(value) if isinstance(value, list | tuple) else value) for key, value in given.items()
    ]
    return tuple(sorted(pairs))
