"""The last acknowledged snapshot, from which delta temporality counts, kept for whoever is elected next.

It is written after the Collector has taken a push. Who dies in between leaves the one before: that interval
is sent twice then, but never lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from dualmetrics import records
from dualmetrics.catalog import Catalog, Index
from dualmetrics.directory import Directory
from dualmetrics.exponentials import Together
from dualmetrics.merge import Source, families, width
from dualmetrics.records import HEADER, FormatError, Header
from dualmetrics.rules import Rules
from dualmetrics.snapshot import Family, Kind, Snapshot

NAME = "delta"


def save(directory: Directory, group: bytes, snapshot: Snapshot) -> None:
    """Keep what is summed in ``snapshot``. Raises OSError, having changed nothing."""
    body = b"".join(_records(snapshot))
    header = Header(group, uuid.uuid4().bytes, snapshot.time, HEADER.size + len(body))
    directory.replace(NAME, records.encode_header(header) + body)


def load(directory: Directory) -> Snapshot | None:
    """The baseline of the group; None if there is none, or a damaged one. Raises OSError."""
    try:
        data = directory.read(NAME)
        header = records.decode_header(data)
        index = Index(Catalog(Rules()), slot=None)
        index.extend(data, header.committed)
    except (FileNotFoundError, FormatError):
        return None
    source = Source(False, index.rows(data), index.exponentials(data))
    return Snapshot(header.born, (), tuple(families(dict(source.rows), Together([source]).of)))


def _records(snapshot: Snapshot) -> Iterator[bytes]:
    for number, family in enumerate(_summed(snapshot)):
        descriptor = family.descriptor
        body = [snapshot.time, *records.descriptor_body(number, descriptor)]
        yield records.encode_record(records.DESCRIPTOR, body, 0)
        time_cell = [0.0] * (width(descriptor) - descriptor.width)
        for point in family.points:
            yield records.encode_series(number, point.start, point.attributes, [*point.cells, *time_cell])
            if point.exponential is not None:
                yield records.encode_exponential(point.exponential)


def _summed(snapshot: Snapshot) -> Iterator[Family]:
    return (family for family in snapshot.families if family.descriptor.kind is not Kind.GAUGE)
