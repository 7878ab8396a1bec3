"""Snapshot -> the SDK's data model, which the official OTLP exporters take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogramDataPoint,
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
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram as SdkExponentialHistogram,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point, Snapshot


def always_cumulative(descriptor: Descriptor) -> bool:
    """The default temporality: no metric goes as deltas."""
    return False


def to_metrics_data(snapshot: Snapshot, is_delta: IsDelta = always_cumulative) -> MetricsData:
    """The snapshot in the SDK's data model. Numbers are doubles throughout, as the cells are.

    ``is_delta`` says of each metric whether its points were made deltas. Gauges carry the time when they
    were set, those of a Prometheus registry the snapshot's, since they are read when asked for. Summaries are
    not among it: the model has none; see `summaries`.
    """
    scopes: dict[Scope, list[Metric]] = {}
    for family in map(present, snapshot.families):
        if family.points and family.descriptor.kind is not Kind.SUMMARY:
            metrics = scopes.setdefault(family.descriptor.scope, [])
            metrics.append(_metric(family, snapshot.time_ns, is_delta(family.descriptor)))
    scoped = [ScopeMetrics(scope_of(scope), metrics, scope.schema_url) for scope, metrics in scopes.items()]
    return MetricsData([ResourceMetrics(Resource(dict(snapshot.resource)), scoped, "")])


def count_points(snapshot: Snapshot) -> int:
    """How many points a push of the snapshot has."""
    return sum(len(present(family).points) for family in snapshot.families)


def present(family: Family) -> Family:
    """What is sent of it: without the gauges that were never set.

    Gauge histograms are for the page alone (OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md``,
    *Dropped Types*).
    """
    if family.descriptor.prometheus_type == "gaugehistogram":
        return Family(family.descriptor, ())
    if family.descriptor.kind is not Kind.GAUGE:
        return family
    return Family(family.descriptor, tuple(point for point in family.points if point.cells[1]))


def time_of(point: Point, descriptor: Descriptor, now: int) -> int:
    """When a point was measured: a gauge when it was set, but one of a registry when that was read."""
    return (
        int(point.cells[1] * 1e9) if descriptor.kind is Kind.GAUGE and not descriptor.prometheus_type else now
    )


def scope_of(scope: Scope) -> InstrumentationScope:
    """The scope in the SDK's terms."""
    return InstrumentationScope(scope.name, scope.version, scope.schema_url, dict(scope.attributes))


def _metric(family: Family, time: int, delta: bool) -> Metric:
    descriptor = family.descriptor
    temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
    data: Gauge | Histogram | SdkExponentialHistogram | Sum
    if descriptor.kind is Kind.GAUGE:
        data = Gauge([_gauge(point, time_of(point, descriptor, time)) for point in family.points])
    elif family.points[0].exponential is not None:
        data = SdkExponentialHistogram([*_exponentials(family, time)], temporality)
    elif descriptor.kind is Kind.HISTOGRAM:
        data = Histogram([_histogram(point, time, descriptor.bounds) for point in family.points], temporality)
    else:
        data = Sum(
            [_sum(point, time) for point in family.points], temporality, descriptor.kind is Kind.COUNTER
        )
    return Metric(descriptor.name, descriptor.description, descriptor.unit, data)


def _gauge(point: Point, time: int) -> NumberDataPoint:
    return NumberDataPoint(dict(point.attributes), point.start_time_ns, time, point.cells[0])


def _sum(point: Point, time: int) -> NumberDataPoint:
    return NumberDataPoint(
        dict(point.attributes), point.start_time_ns, time, point.cells[0], _exemplars(point)
    )


def _exponentials(family: Family, time: int) -> Iterator[ExponentialHistogramDataPoint]:
    return (
        _exponential(point, point.exponential, time)
        for point in family.points
        if point.exponential is not None
    )


def _exponential(point: Point, found: ExponentialHistogram, time: int) -> ExponentialHistogramDataPoint:
    unknown: Any = None  # as in `_histogram`
    return ExponentialHistogramDataPoint(
        dict(point.attributes),
        point.start_time_ns,
        time,
        int(found.total_count),
        found.sum,
        found.scale,
        int(found.zero_count),
        Buckets(found.offset, [int(count) for count in found.counts]),
        Buckets(0, []),
        0,
        unknown,
        unknown,
        _exemplars(point),
    )


def _histogram(point: Point, time: int, bounds: tuple[float, ...]) -> HistogramDataPoint:
    counts = [int(count) for count in point.cells[:-1]]
    # Neither minimum nor maximum is kept: over workers and deltas they could not be told truly.
    unknown: Any = None
    return HistogramDataPoint(
        dict(point.attributes),
        point.start_time_ns,
        time,
        sum(counts),
        unknown if math.isnan(point.cells[-1]) else point.cells[-1],
        counts,
        bounds,
        unknown,
        unknown,
        _exemplars(point),
    )


def _exemplars(point: Point) -> list[Exemplar]:
    return [
        Exemplar(dict(each.attributes), each.value, each.time_ns, *_ids(each.span_id, each.trace_id))
        for each in point.exemplars
        if each
    ]


def _ids(span_id: int, trace_id: int) -> tuple[int, int] | tuple[None, None]:
    """Neither id where there was no span. The encoder takes both or none, and receivers zeros for none."""
    return (span_id, trace_id) if span_id or trace_id else (None, None)
