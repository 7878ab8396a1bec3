"""The last acknowledged snapshot, from which delta temporality counts, kept for whoever is elected next.

It is written after the Collector has taken a push. Who dies in between leaves the one before: that interval
is sent twice then, but never lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from dualmetrics.aggregation.file_index import FileIndex
from dualmetrics.aggregation.merging import ExponentialTotals, RowSource, to_families
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.aggregation.series import SeriesCatalog
from dualmetrics.model.descriptor import Kind, stored_width
from dualmetrics.model.snapshot import Family, Snapshot
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, FormatError, Header
from dualmetrics.workers.directory import Directory

NAME = "delta"


def save_baseline(directory: Directory, group: bytes, snapshot: Snapshot) -> None:
    """Keep what is summed in ``snapshot``. Raises OSError, having changed nothing."""
    body = b"".join(_records(snapshot))
    header = Header(group, uuid.uuid4().bytes, snapshot.time_ns, HEADER.size + len(body))
    directory.replace(NAME, file_format.encode_header(header) + body)


def load_baseline(directory: Directory) -> Snapshot | None:
    """The baseline of the group; None if there is none, or a damaged one. Raises OSError."""
    try:
        data = directory.read(NAME)
        header = file_format.decode_header(data)
        index = FileIndex(SeriesCatalog(AggregationPolicies()), slot=None)
        index.extend(data, header.committed)
    except (FileNotFoundError, FormatError):
        return None
    source = RowSource(False, index.rows(data), index.exponentials(data))
    return Snapshot(
        header.created_at_ns, (), tuple(to_families(dict(source.rows), ExponentialTotals([source]).of))
    )


def _records(snapshot: Snapshot) -> Iterator[bytes]:
    for number, family in enumerate(_summed(snapshot)):
        descriptor = family.descriptor
        body = [snapshot.time_ns, *file_format.descriptor_body(number, descriptor)]
        yield file_format.encode_record(file_format.DESCRIPTOR, body, 0)
        time_cell = [0.0] * (stored_width(descriptor) - descriptor.width)
        for point in family.points:
            yield file_format.encode_series(
                number, point.start_time_ns, point.attributes, [*point.cells, *time_cell]
            )
            if point.exponential is not None:
                yield file_format.encode_exponential(point.exponential)


def _summed(snapshot: Snapshot) -> Iterator[Family]:
    return (family for family in snapshot.families if family.descriptor.kind is not Kind.GAUGE)
