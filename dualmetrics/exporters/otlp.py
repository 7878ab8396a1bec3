"""Snapshot -> the SDK's data model -> the official OTLP exporters, unchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from dualmetrics.exporters.temporality import IsDelta
from dualmetrics.snapshot import Descriptor, Family, Kind, Point, Scope, Snapshot

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

BATCH = 4000
"""Points a message: a histogram of 14 bounds takes some 450 bytes, and a Collector's gRPC takes 4 MiB."""


def always_cumulative(descriptor: Descriptor) -> bool:
    """The default temporality: no metric goes as deltas."""
    return False


def to_metrics_data(snapshot: Snapshot, is_delta: IsDelta = always_cumulative) -> MetricsData:
    """The snapshot in the SDK's data model. Numbers are doubles throughout, as the cells are.

    ``is_delta`` says of each metric whether its points were made deltas. Gauges carry the time when they were set.
    """
    scopes: dict[Scope, list[Metric]] = {}
    for family in snapshot.families:
        if family.points:
            metrics = scopes.setdefault(family.descriptor.scope, [])
            metrics.append(_metric(family, snapshot.time, is_delta(family.descriptor)))
    scoped = [ScopeMetrics(_scope(scope), metrics, scope.schema_url) for scope, metrics in scopes.items()]
    return MetricsData([ResourceMetrics(Resource(dict(snapshot.resource)), scoped, "")])


def count_points(snapshot: Snapshot) -> int:
    """How many points a push of the snapshot has."""
    return sum(len(family.points) for family in snapshot.families)


def _scope(scope: Scope) -> InstrumentationScope:
    return InstrumentationScope(scope.name, scope.version, scope.schema_url, dict(scope.attributes))


def _metric(family: Family, time: int, delta: bool) -> Metric:
    descriptor = family.descriptor
    temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
    data: Gauge | Histogram | Sum
    if descriptor.kind is Kind.GAUGE:
        data = Gauge([_gauge(point) for point in family.points])
    elif descriptor.kind is Kind.HISTOGRAM:
        data = Histogram([_histogram(point, time, descriptor.bounds) for point in family.points], temporality)
    else:
        data = Sum([_sum(point, time) for point in family.points], temporality, descriptor.kind is Kind.COUNTER)
    return Metric(descriptor.name, descriptor.description, descriptor.unit, data)


def _gauge(point: Point) -> NumberDataPoint:
    value, at = point.cells
    return NumberDataPoint(dict(point.attributes), point.start, int(at * 1e9), value)


def _sum(point: Point, time: int) -> NumberDataPoint:
    return NumberDataPoint(dict(point.attributes), point.start, time, point.cells[0])


def _histogram(point: Point, time: int, bounds: tuple[float, ...]) -> HistogramDataPoint:
    counts = [int(count) for count in point.cells[:-1]]
    # Neither minimum nor maximum is kept: over workers and deltas they could not be told truly.
    unknown: Any = None
    return HistogramDataPoint(
        dict(point.attributes), point.start, time, sum(counts), point.cells[-1], counts, bounds, unknown, unknown
    )


def grpc_exporter(endpoint: str, headers: Mapping[str, str] | None) -> MetricExporter:
    """The official exporter over gRPC; what is not given here it reads from its own variables."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    lower = None if headers is None else {name.lower(): value for name, value in headers.items()}
    return OTLPMetricExporter(endpoint=endpoint, headers=lower, max_export_batch_size=BATCH)


def http_exporter(
    endpoint: str, is_signal: bool, headers: Mapping[str, str] | None, on_response: Callable[..., None]
) -> MetricExporter:
    """The official exporter over HTTP. A base URL is completed, as the exporter does for the variable alone.

    ``on_response`` is called with each `requests.Response`.
    """
    import requests
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    session = requests.Session()
    session.hooks["response"].append(lambda response, *args, **kwargs: on_response(response))
    url = endpoint if is_signal else endpoint.rstrip("/") + "/v1/metrics"
    given = None if headers is None else dict(headers)
    return OTLPMetricExporter(endpoint=url, headers=given, session=session, max_export_batch_size=BATCH)
