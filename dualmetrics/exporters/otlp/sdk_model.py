"""Converts a snapshot to the SDK's data model, which the official OTLP exporters take."""

from __future__ import annotations

import math
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
from opentelemetry.sdk.util.instrumentation import InstrumentationScope as SdkScope

from dualmetrics.exporters.otlp.temporality import IsDelta, always_cumulative
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point, Snapshot

_UNKNOWN: Any = None
"""Minimum and maximum are not recorded: they cannot be right across workers and deltas."""


def to_metrics_data(snapshot: Snapshot, is_delta: IsDelta = always_cumulative) -> MetricsData:
    """The snapshot in the SDK's data model. All numbers are doubles, like the cells.

    ``is_delta`` tells for which metrics the snapshot has deltas. The time of a gauge is when it was set, or
    the snapshot's time for a gauge of a Prometheus registry, which is read on demand. Summaries are omitted,
    because the data model does not have them; see `summaries`.
    """
    scopes: dict[InstrumentationScope, list[Metric]] = {}
    for family in map(exportable, snapshot.families):
        if family.points and family.descriptor.kind is not Kind.SUMMARY:
            metrics = scopes.setdefault(family.descriptor.scope, [])
            metrics.append(_metric(family, snapshot.time_ns, is_delta(family.descriptor)))
    scoped = [
        ScopeMetrics(to_sdk_scope(scope), metrics, scope.schema_url) for scope, metrics in scopes.items()
    ]
    return MetricsData([ResourceMetrics(Resource(dict(snapshot.resource)), scoped, "")])


def count_points(snapshot: Snapshot) -> int:
    """The number of points in a push of the snapshot."""
    return sum(len(exportable(family).points) for family in snapshot.families)


def exportable(family: Family) -> Family:
    """The part of a family that is pushed: without gauges that were never set.

    Gauge histograms appear on the page only (OpenTelemetry's
    ``compatibility/prometheus_and_openmetrics.md``, *Dropped Types*).
    """
    if family.descriptor.prometheus_type == "gaugehistogram":
        return Family(family.descriptor, ())
    if family.descriptor.kind is not Kind.GAUGE:
        return family
    return Family(family.descriptor, tuple(point for point in family.points if point.cells[1]))


def measured_at(point: Point, descriptor: Descriptor, now: int) -> int:
    """The time of a point: when a gauge was set; ``now`` for other kinds and for registry gauges."""
    is_own_gauge = descriptor.kind is Kind.GAUGE and not descriptor.prometheus_type
    return int(point.cells[1] * 1e9) if is_own_gauge else now


def to_sdk_scope(scope: InstrumentationScope) -> SdkScope:
    """The scope in the SDK's data model."""
    return SdkScope(scope.name, scope.version, scope.schema_url, dict(scope.attributes))


def _metric(family: Family, time: int, delta: bool) -> Metric:
    descriptor, points = family.descriptor, family.points
    temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
    data: Gauge | Histogram | SdkExponentialHistogram | Sum
    if descriptor.kind is Kind.GAUGE:
        data = Gauge([_gauge(point, measured_at(point, descriptor, time)) for point in points])
    elif points[0].exponential is not None:
        data = SdkExponentialHistogram(
            [
                _exponential(point, point.exponential, time)
                for point in points
                if point.exponential is not None
            ],
            temporality,
        )
    elif descriptor.kind is Kind.HISTOGRAM:
        data = Histogram([_histogram(point, time, descriptor.bounds) for point in points], temporality)
    else:
        data = Sum([_sum(point, time) for point in points], temporality, descriptor.kind is Kind.COUNTER)
    return Metric(descriptor.name, descriptor.description, descriptor.unit, data)


def _gauge(point: Point, time: int) -> NumberDataPoint:
    return NumberDataPoint(dict(point.attributes), point.start_time_ns, time, point.cells[0])


def _sum(point: Point, time: int) -> NumberDataPoint:
    return NumberDataPoint(
        dict(point.attributes), point.start_time_ns, time, point.cells[0], _exemplars(point)
    )


def _exponential(point: Point, histogram: ExponentialHistogram, time: int) -> ExponentialHistogramDataPoint:
    return ExponentialHistogramDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=point.start_time_ns,
        time_unix_nano=time,
        count=int(histogram.total_count),
        sum=histogram.sum,
        scale=histogram.scale,
        zero_count=int(histogram.zero_count),
        positive=Buckets(histogram.offset, [int(count) for count in histogram.counts]),
        negative=Buckets(0, []),
        flags=0,
        min=_UNKNOWN,
        max=_UNKNOWN,
        exemplars=_exemplars(point),
    )


def _histogram(point: Point, time: int, bounds: tuple[float, ...]) -> HistogramDataPoint:
    counts = [int(count) for count in point.cells[:-1]]
    return HistogramDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=point.start_time_ns,
        time_unix_nano=time,
        count=sum(counts),
        sum=_UNKNOWN if math.isnan(point.cells[-1]) else point.cells[-1],
        bucket_counts=counts,
        explicit_bounds=bounds,
        min=_UNKNOWN,
        max=_UNKNOWN,
        exemplars=_exemplars(point),
    )


def _exemplars(point: Point) -> list[Exemplar]:
    if not point.exemplars:  # true of most points
        return []
    return [
        Exemplar(
            dict(exemplar.attributes),
            exemplar.value,
            exemplar.time_ns,
            *_ids(exemplar.span_id, exemplar.trace_id),
        )
        for exemplar in point.exemplars
        if exemplar
    ]


def _ids(span_id: int, trace_id: int) -> tuple[int, int] | tuple[None, None]:
    """Both ids, or None twice without a span. The encoder needs both, and receivers take zeros for none."""
    return (span_id, trace_id) if span_id or trace_id else (None, None)
