"""Summaries in OTLP, which has them for Prometheus' sake; the SDK's data model does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint, SummaryDataPoint

from dualmetrics.exporters.otlp.sdk_model import to_metrics_data
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot


def encoded(snapshot: Snapshot) -> ExportMetricsServiceRequest:
    """The message with the summaries of a snapshot; an empty one if there are none."""
    message = ExportMetricsServiceRequest()
    for family in snapshot.families:
        if family.descriptor.kind is Kind.SUMMARY and family.points:
            message.MergeFrom(_message(replace(snapshot, families=(family,))))
    return message


def _message(snapshot: Snapshot) -> ExportMetricsServiceRequest:
    """Encoded as a gauge, which then is made a summary: so all else of it is as the official encoder does."""
    (family,) = snapshot.families
    descriptor = replace(family.descriptor, kind=Kind.GAUGE)
    points = tuple(point._replace(cells=(0.0, 1.0)) for point in family.points)
    message = encode_metrics(to_metrics_data(replace(snapshot, families=(Family(descriptor, points),))))
    (metric,) = message.resource_metrics[0].scope_metrics[0].metrics
    _rewrite(metric, family.descriptor.bounds, family.points)
    return message


def _rewrite(metric: Metric, quantiles: tuple[float, ...], points: Iterable[Point]) -> None:
    numbers = [*metric.gauge.data_points]
    metric.summary.SetInParent()
    made = [_point(number, quantiles, point) for number, point in zip(numbers, points, strict=True)]
    metric.summary.data_points.extend(made)


def _point(number: NumberDataPoint, quantiles: tuple[float, ...], point: Point) -> SummaryDataPoint:
    count, total, *values = point.cells[:-1]
    at_quantile = SummaryDataPoint.ValueAtQuantile
    return SummaryDataPoint(
        attributes=number.attributes,
        start_time_unix_nano=point.start_time_ns,
        time_unix_nano=number.time_unix_nano,
        count=int(count),
        sum=total,
        quantile_values=[
            at_quantile(quantile=quantile, value=value)
            for quantile, value in zip(quantiles, values, strict=True)
        ],
    )
