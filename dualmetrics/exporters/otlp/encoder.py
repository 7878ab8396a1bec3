"""Snapshot -> the bytes of OTLP, for the bodies of HTTP.

The official encoder makes a Python object of each point, attribute and value. That takes longer than all
else of a push, and fills the memory with what the garbage collector has to look through. Here the points that
there are many of are packed, and what never changes of them is kept as bytes. All that is rare or small is
that encoder's: resource, scopes, attributes, summaries, exponential histograms, exemplars. A test compares.

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
from dualmetrics.exporters.otlp.sdk_model import (
    always_cumulative,
    present,
    scope_of,
    time_of,
    to_metrics_data,
)
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Family, Point, Snapshot

LIMIT = 1 << 20
"""Bytes a message: a Collector takes more, but each is made, sent and forgotten before the next is made."""

_POINT = protobuf_wire.tag(1, protobuf_wire.BYTES)
_DATA = {"gauge": 5, "sum": 7, "histogram": 9, "exponential_histogram": 10, "summary": 11}
"""The fields of a Metric, one of which has the points."""


class Data(NamedTuple):
    """A metric: the field that has its points, these in bytes, and whether they are deltas."""

    descriptor: Descriptor
    field: str
    points: Iterable[bytes]
    delta: bool


class OtlpEncoder:
    """Packs snapshots. The bytes of attributes are found by identity: those of a series are one object."""

    def __init__(self, is_delta: IsDelta = always_cumulative) -> None:
        self._is_delta = is_delta
        self._known: dict[Descriptor, dict[int, tuple[Attributes, bytes]]] = {}

    def messages(self, snapshot: Snapshot, limit: int = LIMIT) -> Iterator[bytes]:
        """One ``ExportMetricsServiceRequest`` after the other, of little more than ``limit`` bytes.

        None if there is no point.
        """
        message = Message(snapshot)
        for family in map(present, snapshot.families):
            if not family.points:
                continue
            data = self._data(family, snapshot)
            for point in data.points:
                if message.size >= limit:
                    yield message.encoded()
                    message = Message(snapshot)
                message.add(data, point)
        if message.size:
            yield message.encoded()

    def _data(self, family: Family, snapshot: Snapshot) -> Data:
        descriptor, delta = family.descriptor, self._is_delta(family.descriptor)
        if descriptor.kind is Kind.SUMMARY or family.points[0].exponential is not None:
            return Data(descriptor, *_officially(family, snapshot), delta)
        rare = [*map(_is_rare, family.points)]
        field, points = self._packed(_part(family, map(not_, rare)), snapshot.time_ns)
        if any(rare):
            _, others = _officially(_part(family, rare), snapshot)
            points = _in_turn(rare, others, points)
        return Data(descriptor, field, points, delta)

    def _packed(self, family: Family, now: int) -> tuple[str, Iterator[bytes]]:
        """The field and the points of a metric."""
        if family.descriptor.kind is Kind.HISTOGRAM:
            return "histogram", self._histograms(family, now)
        return "gauge" if family.descriptor.kind is Kind.GAUGE else "sum", self._numbers(family, now)

    def _numbers(self, family: Family, now: int) -> Iterator[bytes]:
        descriptor, pack = family.descriptor, struct.Struct("<BQBQBd").pack
        start, time, value = (protobuf_wire.fixed(field) for field in (2, 3, 4))
        for attributes, point in zip(self._attributes(family, 7), family.points, strict=True):
            began = 0 if descriptor.kind is Kind.GAUGE else point.start_time_ns
            when = time_of(point, descriptor, now)
            yield _point(attributes + pack(start, began, time, when, value, point.cells[0]))

    def _histograms(self, family: Family, now: int) -> Iterator[bytes]:
        bounds = family.descriptor.bounds
        before = protobuf_wire.tag(6, protobuf_wire.BYTES) + protobuf_wire.varint(8 * (len(bounds) + 1))
        after = protobuf_wire.message(7, struct.pack(f"<{len(bounds)}d", *bounds))
        pack = struct.Struct(f"<BQBQBQBd{len(before)}s{len(bounds) + 1}Q").pack
        start, time, count, sum_ = (protobuf_wire.fixed(field) for field in (2, 3, 4, 5))
        for attributes, point in zip(self._attributes(family, 9), family.points, strict=True):
            *cells, total = point.cells
            counts = [*map(int, cells)]
            packed = pack(
                start, point.start_time_ns, time, now, count, sum(counts), sum_, total, before, *counts
            )
            yield _point(attributes + packed + after)

    def _attributes(self, family: Family, field: int) -> list[bytes]:
        """Those of each point, as a message has them in this field."""
        known = self._known.get(family.descriptor, {})
        new = [point.attributes for point in family.points if id(point.attributes) not in known]
        for attributes, packed in zip(new, _as_attributes(new, field), strict=True):
            known[id(attributes)] = attributes, packed  # kept, so that no other object gets this identity
        found = [known[id(point.attributes)] for point in family.points]
        self._known[family.descriptor] = {id(pair[0]): pair for pair in found}  # those of now alone
        return [packed for _, packed in found]


class Message:
    """A message that points are added to, those of one metric after those of another."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._metrics: list[tuple[Data, list[bytes]]] = []
        self.size = 0
        """Bytes of the points."""

    def add(self, data: Data, point: bytes) -> None:
        """Take one more."""
        if not self._metrics or self._metrics[-1][0] is not data:
            self._metrics.append((data, []))
        self._metrics[-1][1].append(point)
        self.size += len(point)

    def encoded(self) -> bytes:
        """The bytes."""
        scopes: dict[Scope, list[bytes]] = {}
        for data, points in self._metrics:
            scopes.setdefault(data.descriptor.scope, []).append(
                protobuf_wire.message(2, _metric(data, points))
            )
        scoped = (
            protobuf_wire.message(2, b"".join((_scope(scope), *metrics))) for scope, metrics in scopes.items()
        )
        return protobuf_wire.message(1, b"".join((_resource(self._snapshot), *scoped)))


def _metric(data: Data, points: Iterable[bytes]) -> bytes:
    descriptor = data.descriptor
    head = metrics_pb2.Metric(
        name=descriptor.name, description=descriptor.description, unit=descriptor.unit
    ).SerializeToString()
    content = b"".join(points)
    if data.field not in ("gauge", "summary"):
        temporality = AggregationTemporality.DELTA if data.delta else AggregationTemporality.CUMULATIVE
        content += protobuf_wire.whole(2, temporality)
    if data.field == "sum":
        content += protobuf_wire.whole(3, descriptor.kind is Kind.COUNTER)
    return head + protobuf_wire.message(_DATA[data.field], content)


def _point(content: bytes) -> bytes:
    return _POINT + protobuf_wire.varint(len(content)) + content


def _is_rare(point: Point) -> bool:
    """Whether it has something that most points have not; a histogram's sum of NaN is none."""
    return bool(point.exemplars) or math.isnan(point.cells[-1])


def _part(family: Family, chosen: Iterable[bool]) -> Family:
    return Family(family.descriptor, tuple(compress(family.points, chosen)))


def _in_turn(first: Iterable[bool], ones: Iterator[bytes], others: Iterator[bytes]) -> Iterator[bytes]:
    return (next(ones if chosen else others) for chosen in first)


def _officially(family: Family, snapshot: Snapshot) -> tuple[str, Iterator[bytes]]:
    """The field and the points of a metric, as the official encoder has them."""
    alone = replace(snapshot, families=(family,))
    is_summary = family.descriptor.kind is Kind.SUMMARY
    message = summaries.encoded(alone) if is_summary else encode_metrics(to_metrics_data(alone))
    (metric,) = message.resource_metrics[0].scope_metrics[0].metrics
    field = metric.WhichOneof("data") or "gauge"
    return field, (_point(point.SerializeToString()) for point in getattr(metric, field).data_points)


def _as_attributes(found: Iterable[Attributes], field: int) -> Iterator[bytes]:
    """Attributes as a message has them in this field: those that the official encoder gives a gauge."""
    points = [NumberDataPoint(dict(attributes), 0, 0, 0.0) for attributes in found]
    scope = ScopeMetrics(scope_of(Scope("")), [Metric("", "", "", Gauge(points))], "")
    message = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    for point in message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points:
        yield b"".join(protobuf_wire.message(field, pair.SerializeToString()) for pair in point.attributes)


def _resource(snapshot: Snapshot) -> bytes:
    message = encode_metrics(MetricsData([ResourceMetrics(Resource(dict(snapshot.resource)), [], "")]))
    head: bytes = message.resource_metrics[0].SerializeToString()
    return head


def _scope(scope: Scope) -> bytes:
    """All of it but its metrics."""
    scoped = ScopeMetrics(scope_of(scope), [], scope.schema_url)
    message = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scoped], "")]))
    head: bytes = message.resource_metrics[0].scope_metrics[0].SerializeToString()
    return head
