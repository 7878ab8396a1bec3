"""Turns what a Collector received into a snapshot again."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from dualmetrics.cli.otlp_points import ReceivedPoint, SeriesKey, read_points
from dualmetrics.exporters.otlp.encoder import OtlpEncoder
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot


def through_otlp(snapshot: Snapshot) -> Snapshot:
    """The snapshot after it was encoded to the bytes of a push and decoded."""
    messages = map(ExportMetricsServiceRequest.FromString, OtlpEncoder().messages(snapshot))
    return decode(point for message in messages for point in read_points(message))


def decode(received: Iterable[tuple[SeriesKey, ReceivedPoint]]) -> Snapshot:
    """A snapshot of these series, with the resource of the last one."""
    points_by_descriptor: dict[Descriptor, list[Point]] = {}
    resource: Attributes = ()
    for key, received_point in received:
        resource = received_point.resource
        kind = Kind(received_point.kind)
        descriptor = Descriptor(
            key.scope, key.name, kind, received_point.unit, received_point.description, received_point.bounds
        )
        point = Point(key.attributes, received_point.start, _cells(kind, received_point))
        points_by_descriptor.setdefault(descriptor, []).append(point)
    families = tuple(Family(descriptor, tuple(points)) for descriptor, points in points_by_descriptor.items())
    return Snapshot(0, resource, families)


def _cells(kind: Kind, received: ReceivedPoint) -> tuple[float, ...]:
    seen = received.time / 1e9
    return {
        Kind.GAUGE: (received.value, seen),
        Kind.HISTOGRAM: (*map(float, received.buckets), received.sum),
        Kind.SUMMARY: (received.value, received.sum, *received.quantiles, seen),
    }.get(kind, (received.value,))
