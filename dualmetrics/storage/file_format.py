"""The file format: a header, then append-only records.

======  =====  ==============================================================
offset  bytes  header field
======  =====  ==============================================================
0       8      magic, ``dualmtrx``
8       4      format version (little endian, like every number here)
12      4      length of this header
16      16     identity of the group
32      16     identity of this file
48      8      time of creation, nanoseconds since the epoch
56      8      committed length: readers ignore what comes after it
======  =====  ==============================================================

A record has 16 bytes (kind, length of the whole record, CRC-32, number of cells; 4 bytes each), a JSON body
padded to a multiple of 8 bytes, and the cells, 8 bytes each and aligned. The checksum covers everything
except the cells, because these keep changing. Readers skip kinds that they do not know, so a new kind needs
no new version.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram

_MAGIC = b"dualmtrx"
_VERSION = 1
HEADER = struct.Struct("<8sII16s16sQQ")
GROUP_ID_OFFSET, COMMITTED_OFFSET = 16, 56
RECORD = struct.Struct("<IIII")
_CHECKED = struct.Struct("<III")

DESCRIPTOR, SERIES, CONTAINS, EXEMPLARS = 1, 2, 3, 4
EXPONENTIAL_CELLS, EXPONENTIAL_TOTAL = 8, 6
"""The exponential histogram of the series in the record before: cells of a worker (see `exponential_cells`),
and a total in an archive. Kind 5 was that of cells without tags."""

EXEMPLARS_WITH_ATTRIBUTES = 7
"""Exemplars with room for attributes (see `exemplar_slots`)."""

ARCHIVE_VERSIONS = 9
"""The version vector of an archive: how often it was replaced, by the name of the line of archives."""

ROLE = 10
"""Whether the process is one of the group's workers: `WORKER`, which is the default, or `CARETAKER`."""

WORKER, CARETAKER = "worker", "caretaker"
"""A caretaker folds and pushes for others, such as a process that forks a child for each job."""

DAMAGED = ("truncated", "foreign", "corrupt")
"""Reasons of a `FormatError` that is permanent: neither time nor another version of this library helps."""


SUPERSEDED = bytes(16)
"""Takes the place of the group's identity in a file whose numbers are in another file by now."""


class FormatError(Exception):
    """The bytes are damaged or not in this format. ``reason`` is one word, usable as an attribute."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Header(NamedTuple):
    """The header of a file."""

    group_id: bytes
    file_id: bytes
    created_at_ns: int
    committed: int

    @property
    def is_superseded(self) -> bool:
        """Whether the numbers of this file are in another one: it was moved, folded or replaced."""
        return self.group_id == SUPERSEDED


class Record(NamedTuple):
    """A parsed record. Its ``width`` cells begin at byte ``cells_offset`` of the file."""

    kind: int
    text: bytes
    cells_offset: int
    width: int

    @property
    def body(self) -> Any:
        """The body, decoded from JSON. Raises ValueError if it is something else, as in an unknown kind."""
        return json.loads(self.text)


def encode_header(header: Header) -> bytes:
    """Return the bytes of a header."""
    return HEADER.pack(
        _MAGIC, _VERSION, HEADER.size, header.group_id, header.file_id, header.created_at_ns, header.committed
    )


def decode_header(data: bytes) -> Header:
    """Parse a header. Raises FormatError: ``truncated``, ``foreign`` or ``version``."""
    if len(data) < HEADER.size:
        raise FormatError("truncated")
    magic, version, size, *fields = HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise FormatError("foreign")
    if version != _VERSION or size != HEADER.size:
        raise FormatError("version")
    return Header(*fields)


def supersede(descriptor: int) -> None:
    """Mark a file as superseded. Somebody may still have it open. Raises OSError."""
    os.pwrite(descriptor, SUPERSEDED, GROUP_ID_OFFSET)


def encode_record(kind: int, body: object, width: int) -> bytes:
    """Return a record with ``width`` cells of zero. Its length is a multiple of 8."""
    text = json.dumps(body, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    length = RECORD.size + len(text) + 8 * width
    return RECORD.pack(kind, length, _checksum(kind, length, width, text), width) + text + bytes(8 * width)


def encode_series(number: int, start_time_ns: int, attributes: Attributes, cells: Sequence[float]) -> bytes:
    """Return the record of a series with its cells. ``number`` is that of its descriptor in the file."""
    return _with_cells(SERIES, [number, start_time_ns, attributes], struct.pack(f"<{len(cells)}d", *cells))


def encode_exponential(exponential: ExponentialHistogram) -> bytes:
    """Return the record of an exponential histogram. It belongs to the series encoded just before it."""
    cells = exponential.cells
    return _with_cells(EXPONENTIAL_TOTAL, None, struct.pack(f"<{len(cells)}d", *cells))


def encode_exemplars(
    kind: int, number: int, start_time_ns: int, attributes: Attributes, slots: bytes
) -> bytes:
    """Return the record of the exemplars of a series. It identifies the series as `encode_series` does.

    ``slots`` are the encoded slots (see `exemplar_slots`), ``kind`` is the record kind for their size.
    """
    return _with_cells(kind, [number, start_time_ns, attributes], slots)


def _with_cells(kind: int, body: object, cells: bytes) -> bytes:
    record = encode_record(kind, body, len(cells) // 8)
    return record[: len(record) - len(cells)] + cells


def decode_records(data: bytes, offset: int, end: int) -> Iterator[Record]:
    """Yield the records in ``data[offset:end]``. Raises FormatError(``corrupt``) at a damaged record."""
    limit = min(end, len(data))
    while offset < end:
        if limit - offset < RECORD.size:
            raise FormatError("corrupt")
        kind, length, checksum, width = RECORD.unpack_from(data, offset)
        cells_at = offset + length - 8 * width
        if length % 8 or offset + length > limit or cells_at < offset + RECORD.size:
            raise FormatError("corrupt")
        text = data[offset + RECORD.size : cells_at]
        if checksum != _checksum(kind, length, width, text):
            raise FormatError("corrupt")
        yield Record(kind, text, cells_at, width)
        offset += length


def _checksum(kind: int, length: int, width: int, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(_CHECKED.pack(kind, length, width)))


def descriptor_body(number: int, descriptor: Descriptor) -> list[object]:
    """Return the JSON body of a descriptor. The series in the file refer to it by ``number``."""
    scope = descriptor.scope
    return [
        number,
        [scope.name, scope.version, scope.schema_url, scope.attributes],
        descriptor.name,
        descriptor.kind.value,
        descriptor.unit,
        descriptor.description,
        descriptor.bounds,
        descriptor.observable,
        descriptor.once_per_group,
        *_optional_fields(descriptor),
    ]


def _optional_fields(descriptor: Descriptor) -> list[object]:
    """Fields that older versions cannot read. Descriptors that do not use them are written without them."""
    if descriptor.gauge_merge:
        return [descriptor.prometheus_type, descriptor.exponential, descriptor.gauge_merge]
    if descriptor.exponential:
        return [descriptor.prometheus_type, True]
    return [descriptor.prometheus_type] if descriptor.prometheus_type else []


def decode_descriptor(body: Any) -> tuple[int, Descriptor]:
    """Return the number and the descriptor of a `descriptor_body`. Raises FormatError(``corrupt``)."""
    try:
        number, (scope_name, version, schema_url, attributes), *fields = body
        scope = InstrumentationScope(scope_name, version, schema_url, decode_attributes(attributes))
        name, kind, unit, description, bounds, *others = fields
        return number, Descriptor(scope, name, Kind(kind), unit, description, tuple(bounds), *others)
    except (ValueError, TypeError) as error:
        raise FormatError("corrupt") from error


def decode_attributes(pairs: Any) -> Attributes:
    """Return attributes from JSON, which has lists in place of tuples."""
    return tuple((key, _value(value)) for key, value in pairs)


def _value(value: Any) -> AttributeValue:
    return tuple(value) if isinstance(value, list) else value
