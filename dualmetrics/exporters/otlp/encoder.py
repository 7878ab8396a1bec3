"""Encodes snapshots as OTLP messages, the bodies of HTTP requests.

The official encoder creates a Python object for each point, attribute and value. That takes longer than the
rest of a push together, and leaves the garbage collector many objects to traverse. This encoder packs plain
numbers and histograms itself, and caches the bytes that never change. The official encoder still encodes
everything that is rare or small: resource, scopes, attributes, summaries, exponential histograms, exemplars.
A test compares the results of both.

Fields are numbered as in ``opentelemetry/proto/metrics/v1/metrics.proto``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import compress
from operator import not_
from typing import NamedTuple

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource

from dualmetrics.exporters import protobuf_wire
from dualmetrics.exporters.otlp import summaries
from dualmetrics.exporters.otlp.message_size import MESSAGE_BYTES
from dualmetrics.exporters.otlp.sdk_model import exportable, measured_at, to_metrics_data, to_sdk_scope
from dualmetrics.exporters.otlp.temporality import IsDelta, always_cumulative
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot

_POINT_TAG = protobuf_wire.tag(1, protobuf_wire.BYTES)
_DATA_FIELDS = {"gauge": 5, "sum": 7, "histogram": 9, "exponential_histogram": 10, "summary": 11}
"""The fields of a Metric, one of which has its points."""


class EncodedMetric(NamedTuple):
    """A metric with its encoded points, the name of the field for them, and whether they are deltas."""

    descriptor: Descriptor
    field: str
    points: Iterable[bytes]
    delta: bool


class OtlpEncoder:
    """Encodes snapshots. Caches encoded attributes by identity: all points of a series share one object."""

    def __init__(self, is_delta: IsDelta = always_cumulative) -> None:
        self._is_delta = is_delta
        self._encoded_attributes: dict[Descriptor, dict[int, tuple[Attributes, bytes]]] = {}

    def messages(self, snapshot: Snapshot, limit: int = MESSAGE_BYTES) -> Iterator[bytes]:
        """The snapshot as ``ExportMetricsServiceRequest`` messages of little more than ``limit`` bytes.

        There is no message if there is no point.
        """
        return map(MessageBuilder.to_bytes, self.builders(snapshot, limit))

    def builders(self, snapshot: Snapshot, limit: int = MESSAGE_BYTES) -> Iterator[MessageBuilder]:
        """The same messages, which can still be divided."""
        message = MessageBuilder(snapshot)
        for family in map(exportable, snapshot.families):
            if not family.points:
                continue
            metric = self._encode_points(family, snapshot)
            for point in metric.points:
                if message.size >= limit:
                    yield message
                    message = MessageBuilder(snapshot)
                message.add(metric, point)
        if message.size:
            yield message

    def _encode_points(self, family: Family, snapshot: Snapshot) -> EncodedMetric:
        descriptor, delta = family.descriptor, self._is_delta(family.descriptor)
        if descriptor.kind is Kind.SUMMARY or family.points[0].exponential is not None:
            return EncodedMetric(descriptor, *_encode_with_sdk(family, snapshot), delta)
        rare = [*map(_is_rare, family.points)]
        field, points = self._pack_points(_select(family, map(not_, rare)), snapshot.time_ns)
        if any(rare):
            _, rare_points = _encode_with_sdk(_select(family, rare), snapshot)
            points = _interleave(rare, rare_points, points)
        return EncodedMetric(descriptor, field, points, delta)

    def _pack_points(self, family: Family, now: int) -> tuple[str, Iterator[bytes]]:
        if family.descriptor.kind is Kind.HISTOGRAM:
            return "histogram", self._pack_histograms(family, now)
        return "gauge" if family.descriptor.kind is Kind.GAUGE else "sum", self._pack_numbers(family, now)

    def _pack_numbers(self, family: Family, now: int) -> Iterator[bytes]:
        descriptor, pack = family.descriptor, struct.Struct("<BQBQBd").pack
        start_tag, time_tag, value_tag = (protobuf_wire.fixed64_tag(field) for field in (2, 3, 4))
        for attributes, point in zip(self._attributes(family, 7), family.points, strict=True):
            start = 0 if descriptor.kind is Kind.GAUGE else point.start_time_ns
            time = measured_at(point, descriptor, now)
            yield _frame_point(attributes + pack(start_tag, start, time_tag, time, value_tag, point.cells[0]))

    def _pack_histograms(self, family: Family, now: int) -> Iterator[bytes]:
        bounds = family.descriptor.bounds
        before = protobuf_wire.tag(6, protobuf_wire.BYTES) + protobuf_wire.varint(8 * (len(bounds) + 1))
        after = protobuf_wire.message_field(7, struct.pack(f"<{len(bounds)}d", *bounds))
        pack = struct.Struct(f"<BQBQBQBd{len(before)}s{len(bounds) + 1}Q").pack
        start, time, count, sum_ = (protobuf_wire.fixed64_tag(field) for field in (2, 3, 4, 5))
        for attributes, point in zip(self._attributes(family, 9), family.points, strict=True):
            *cells, total = point.cells
            counts = [*map(int, cells)]
            packed = pack(
                start, point.start_time_ns, time, now, count, sum(counts), sum_, total, before, *counts
            )
            yield _frame_point(attributes + packed + after)

    def _attributes(self, family: Family, field: int) -> list[bytes]:
        """The encoded attributes of each point; ``field`` is where the point's message has them."""
        cached = self._encoded_attributes.get(family.descriptor, {})
        new = [point.attributes for point in family.points if id(point.attributes) not in cached]
        for attributes, encoded in zip(new, _encode_attributes(new, field), strict=True):
            cached[id(attributes)] = attributes, encoded  # the reference keeps the identity from being reused
        current = [cached[id(point.attributes)] for point in family.points]
        self._encoded_attributes[family.descriptor] = {id(entry[0]): entry for entry in current}
        return [encoded for _, encoded in current]


class MessageBuilder:
    """Builds one message. The points of a metric must be added one after the other."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._metrics: list[tuple[EncodedMetric, list[bytes]]] = []
        self.size = 0
        """The size of the points in bytes."""

    def add(self, metric: EncodedMetric, point: bytes) -> None:
        """Add a point."""
        if not self._metrics or self._metrics[-1][0] is not metric:
            self._metrics.append((metric, []))
        self._metrics[-1][1].append(point)
        self.size += len(point)

    def cut(self, limit: int) -> Iterator[MessageBuilder]:
        """Messages with the same points, of at most ``limit`` bytes each, but at least one point."""
        part = MessageBuilder(self._snapshot)
        for metric, points in self._metrics:
            for point in points:
                if part.size and part.size + len(point) > limit:
                    yield part
                    part = MessageBuilder(self._snapshot)
                part.add(metric, point)
        yield part

    def to_bytes(self) -> bytes:
        """The encoded message."""
        scopes: dict[InstrumentationScope, list[bytes]] = {}
        for metric, points in self._metrics:
            encoded = protobuf_wire.message_field(2, _encode_metric(metric, points))
            scopes.setdefault(metric.descriptor.scope, []).append(encoded)
        scoped = (
            protobuf_wire.message_field(2, b"".join((_encode_scope(scope), *metrics)))
            for scope, metrics in scopes.items()
        )
        return protobuf_wire.message_field(1, b"".join((_encode_resource(self._snapshot), *scoped)))


def _encode_metric(metric: EncodedMetric, points: Iterable[bytes]) -> bytes:
    descriptor = metric.descriptor
    head = metrics_pb2.Metric(
        name=descriptor.name, description=descriptor.description, unit=descriptor.unit
    ).SerializeToString()
    content = b"".join(points)
    if metric.field not in ("gauge", "summary"):
        temporality = AggregationTemporality.DELTA if metric.delta else AggregationTemporality.CUMULATIVE
        content += protobuf_wire.uint_field(2, temporality)
    if metric.field == "sum":
        content += protobuf_wire.uint_field(3, descriptor.kind is Kind.COUNTER)
    return head + protobuf_wire.message_field(_DATA_FIELDS[metric.field], content)


def _frame_point(content: bytes) -> bytes:
    return _POINT_TAG + protobuf_wire.varint(len(content)) + content


def _is_rare(point: Point) -> bool:
    """Whether it has something that most points do not: exemplars, or NaN as a sum, which means no sum."""
    return bool(point.exemplars) or math.isnan(point.cells[-1])


def _select(family: Family, selectors: Iterable[bool]) -> Family:
    return Family(family.descriptor, tuple(compress(family.points, selectors)))


def _interleave(
    rare: Iterable[bool], rare_points: Iterator[bytes], others: Iterator[bytes]
) -> Iterator[bytes]:
    """All points in their original order."""
    return (next(rare_points if is_rare else others) for is_rare in rare)


def _encode_with_sdk(family: Family, snapshot: Snapshot) -> tuple[str, Iterator[bytes]]:
    """The field and the points of a metric, as the official encoder encodes them."""
    single = replace(snapshot, families=(family,))
    is_summary = family.descriptor.kind is Kind.SUMMARY
    message = summaries.encode_summaries(single) if is_summary else encode_metrics(to_metrics_data(single))
    (metric,) = message.resource_metrics[0].scope_metrics[0].metrics
    field = metric.WhichOneof("data") or "gauge"
    points = getattr(metric, field).data_points
    return field, (_frame_point(point.SerializeToString()) for point in points)


def _encode_attributes(attribute_sets: Iterable[Attributes], field: int) -> Iterator[bytes]:
    """The attributes of points, as the official encoder encodes those of a gauge, for another field."""
    points = [NumberDataPoint(dict(attributes), 0, 0, 0.0) for attributes in attribute_sets]
    scope = ScopeMetrics(to_sdk_scope(InstrumentationScope("")), [Metric("", "", "", Gauge(points))], "")
    message = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    for point in message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points:
        yield b"".join(
            protobuf_wire.message_field(field, pair.SerializeToString()) for pair in point.attributes
        )


def _encode_resource(snapshot: Snapshot) -> bytes:
    """The fields of a ResourceMetrics without its scopes."""
    message = encode_metrics(MetricsData([ResourceMetrics(Resource(dict(snapshot.resource)), [], "")]))
    head: bytes = message.resource_metrics[0].SerializeToString()
    return head


def _encode_scope(scope: InstrumentationScope) -> bytes:
    """The fields of a ScopeMetrics without its metrics."""
    scoped = ScopeMetrics(to_sdk_scope(scope), [], scope.schema_url)
    message = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scoped], "")]))
    head: bytes = message.resource_metrics[0].scope_metrics[0].SerializeToString()
    return head
