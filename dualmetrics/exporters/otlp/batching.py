"""Cutting a snapshot into messages that a Collector takes.

A Collector's gRPC refuses messages of more than 4 MiB. The official exporters can cut by the number of
points, however large; and the one for gRPC goes on after a message that failed, with the whole timeout again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.snapshot import Family, Point, Snapshot

LIMIT = 1 << 20
"""Bytes a message by our estimate, which is on the high side."""


def batches(snapshot: Snapshot, limit: int = LIMIT) -> Iterator[Snapshot]:
    """The snapshot in parts of ``limit`` bytes or less, of one point at least; none if it is empty."""
    part: list[tuple[Family, Point]] = []
    size = 0
    for family in snapshot.families:
        for point in family.points:
            weight = _weight(point)
            size += weight
            if size > limit and part:
                yield _snapshot(snapshot, part)
                part, size = [], weight
            part.append((family, point))
    if part:
        yield _snapshot(snapshot, part)


def _snapshot(whole: Snapshot, part: list[tuple[Family, Point]]) -> Snapshot:
    families = (
        Family(points[0][0].descriptor, tuple(point for _, point in points))
        for points in (list(group) for _, group in groupby(part, key=lambda pair: id(pair[0])))
    )
    return Snapshot(whole.time_ns, whole.resource, tuple(families))


def _weight(point: Point) -> int:
    # Two timestamps and the frame; 8 bytes a count and 8 a bound; a count of exponential buckets is a varint;
    # value, time and ids of an exemplar, and its attributes.
    buckets = 64 + 10 * len(point.exponential.counts) if point.exponential else 16 * len(point.cells)
    exemplars = sum(64 + _text(each.attributes) for each in point.exemplars if each)
    return 64 + buckets + exemplars + _text(point.attributes)


def _text(attributes: Attributes) -> int:
    return sum(24 + len(key.encode()) + len(str(value).encode(errors="replace")) for key, value in attributes)
