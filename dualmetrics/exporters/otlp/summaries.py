"""Encodes summaries. OTLP has them for the sake of Prometheus, but the SDK's data model does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint, SummaryDataPoint

from dualmetrics.exporters.otlp.sdk_model import to_metrics_data
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot


def encode_summaries(snapshot: Snapshot) -> ExportMetricsServiceRequest:
    """A message with the summaries of a snapshot; an empty message if it has none."""
    message = ExportMetricsServiceRequest()
    for family in snapshot.families:
        if family.descriptor.kind is Kind.SUMMARY and family.points:
            message.MergeFrom(_encode_summary(replace(snapshot, families=(family,))))
    return message


def _encode_summary(snapshot: Snapshot) -> ExportMetricsServiceRequest:
    """Encode the only family as a gauge, then replace its points.

    So the official encoder encodes everything else: resource, scope, attributes and times.
    """
    (family,) = snapshot.families
    descriptor = replace(family.descriptor, kind=Kind.GAUGE)
    points = tuple(point._replace(cells=(0.0, 1.0)) for point in family.points)
    message = encode_metrics(to_metrics_data(replace(snapshot, families=(Family(descriptor, points),))))
    (metric,) = message.resource_metrics[0].scope_metrics[0].metrics
    _replace_points(metric, family.descriptor.bounds, family.points)
    return message


def _replace_points(metric: Metric, quantiles: tuple[float, ...], points: Iterable[Point]) -> None:
    gauge_points = [*metric.gauge.data_points]
    metric.summary.SetInParent()
    summaries = [
        _summary_point(gauge_point, quantiles, point)
        for gauge_point, point in zip(gauge_points, points, strict=True)
    ]
    metric.summary.data_points.extend(summaries)


def _summary_point(
    gauge_point: NumberDataPoint, quantiles: tuple[float, ...], point: Point
) -> SummaryDataPoint:
    count, total, *values = point.cells[:-1]
    at_quantile = SummaryDataPoint.ValueAtQuantile
    return SummaryDataPoint(
        attributes=gauge_point.attributes,
        start_time_unix_nano=point.start_time_ns,
        time_unix_nano=gauge_point.time_unix_nano,
        count=int(count),
        sum=total,
        quantile_values=[
            at_quantile(quantile=quantile, value=value)
            for quantile, value in zip(quantiles, values, strict=True)
        ],
    )
