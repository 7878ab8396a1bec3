"""What a Collector received, as a snapshot again: what it knows of the metrics, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from dualmetrics.cli.otlp_points import SeriesKey, ReceivedPoint, read_points
from dualmetrics.exporters.otlp.encoder import OtlpEncoder
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot


def through_otlp(snapshot: Snapshot) -> Snapshot:
    """A snapshot after its way through the bytes of a push."""
    messages = map(ExportMetricsServiceRequest.FromString, OtlpEncoder().messages(snapshot))
    return decoded(found for message in messages for found in read_points(message))


def decoded(received: Iterable[tuple[SeriesKey, ReceivedPoint]]) -> Snapshot:
    """The series as families, and the resource of the last one."""
    found: dict[Descriptor, list[Point]] = {}
    resource: Attributes = ()
    for key, each in received:
        resource = each.resource
        kind = Kind(each.kind)
        descriptor = Descriptor(key.scope, key.name, kind, each.unit, each.description, each.bounds)
        point = Point(key.attributes, each.start, _cells(kind, each))
        found.setdefault(descriptor, []).append(point)
    families = tuple(Family(descriptor, tuple(points)) for descriptor, points in found.items())
    return Snapshot(0, resource, families)


def _cells(kind: Kind, received: ReceivedPoint) -> tuple[float, ...]:
    seen = received.time / 1e9
    return {
        Kind.GAUGE: (received.value, seen),
        Kind.HISTOGRAM: (*map(float, received.buckets), received.sum),
        Kind.SUMMARY: (received.value, received.sum, *received.quantiles, seen),
    }.get(kind, (received.value,))
