"""Splits a snapshot into messages that a Collector accepts.

A Collector refuses gRPC messages above 4 MiB, if nobody has configured another limit. The official exporters
can only split by the number of points, whatever their size. The one for gRPC also continues after a failed
message, with the full timeout again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from opentelemetry.sdk.metrics.export import MetricsData

from dualmetrics.exporters.otlp.message_size import MESSAGE_BYTES, MessageSizes
from dualmetrics.exporters.otlp.result import ResponseSummary
from dualmetrics.exporters.otlp.sdk_model import to_metrics_data
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.exporters.otlp.transport import Messages
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot


def sdk_messages(
    is_delta: IsDelta,
    send_summaries: Callable[[Snapshot], None] | None = None,
    responses: ResponseSummary | None = None,
) -> Messages:
    """The messages for an exporter that encodes by itself (gRPC and console).

    The official encoder has no summaries. Over gRPC, ``send_summaries`` sends them in messages of their own.
    """
    sizes = MessageSizes(responses or ResponseSummary())

    def in_batches(snapshot: Snapshot) -> Iterator[Snapshot]:
        return sizes.resend_in_parts(batches(snapshot, sizes.limit), _total_size, batches)

    def messages(snapshot: Snapshot) -> Iterator[MetricsData]:
        if send_summaries is not None:
            for batch in in_batches(_only(snapshot, summaries=True)):
                send_summaries(batch)
        for batch in in_batches(_only(snapshot, summaries=False)):
            yield to_metrics_data(batch, is_delta)

    return messages


def _only(snapshot: Snapshot, *, summaries: bool) -> Snapshot:
    families = (
        family for family in snapshot.families if (family.descriptor.kind is Kind.SUMMARY) is summaries
    )
    return Snapshot(snapshot.time_ns, snapshot.resource, tuple(families))


def batches(snapshot: Snapshot, limit: int = MESSAGE_BYTES) -> Iterator[Snapshot]:
    """The snapshot in parts of at most ``limit`` bytes each, but at least one point.

    Sizes are estimates that err on the high side. An empty snapshot has no parts.
    """
    part: list[tuple[Family, Point]] = []
    size = 0
    for family in snapshot.families:
        for point in family.points:
            point_size = _estimated_size(point)
            size += point_size
            if size > limit and part:
                yield _to_snapshot(snapshot, part)
                part, size = [], point_size
            part.append((family, point))
    if part:
        yield _to_snapshot(snapshot, part)


def _to_snapshot(whole: Snapshot, part: list[tuple[Family, Point]]) -> Snapshot:
    families = (
        Family(pairs[0][0].descriptor, tuple(point for _, point in pairs))
        for pairs in (list(group) for _, group in groupby(part, key=lambda pair: id(pair[0])))
    )
    return Snapshot(whole.time_ns, whole.resource, tuple(families))


def _total_size(snapshot: Snapshot) -> int:
    return sum(_estimated_size(point) for family in snapshot.families for point in family.points)


def _estimated_size(point: Point) -> int:
    # Two timestamps and the framing take 64 bytes; a bucket takes 8 bytes for its count and 8 for its bound.
    # Exponential buckets have varint counts. An exemplar has a value, a time, two ids and attributes.
    buckets = 64 + 10 * len(point.exponential.counts) if point.exponential else 16 * len(point.cells)
    exemplars = sum(64 + _text_size(exemplar.attributes) for exemplar in point.exemplars if exemplar)
    return 64 + buckets + exemplars + _text_size(point.attributes)


def _text_size(attributes: Attributes) -> int:
    return sum(24 + len(key.encode()) + len(str(value).encode(errors="replace")) for key, value in attributes)
