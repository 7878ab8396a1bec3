"""The file format: a header, then append-only records.

======  =====  ==============================================================
offset  bytes  header field
======  =====  ==============================================================
0       8      magic, ``dualmtrx``
8       4      format version (little endian, as every number here)
12      4      length of this header
16      16     identity of the group
32      16     identity of this file
48      8      born, nanoseconds since the epoch
56      8      committed length: what lies behind it does not exist yet
======  =====  ==============================================================

A record is 16 bytes (kind, whole length, CRC-32, number of cells; 4 bytes each), a JSON body padded to 8
bytes, and the cells, 8 bytes each and aligned. The checksum covers all but the cells, which go on
changing. Kinds that a reader does not know are skipped, so that later kinds need no new version.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.exponential_histogram import ExponentialHistogram

MAGIC = b"dualmtrx"
VERSION = 1
HEADER = struct.Struct("<8sII16s16sQQ")
COMMITTED_OFFSET = 56
RECORD = struct.Struct("<IIII")
_CHECKED = struct.Struct("<III")

DESCRIPTOR, SERIES, CONTAINS, EXEMPLARS = 1, 2, 3, 4
EXPONENTIAL_CELLS, EXPONENTIAL_TOTAL = 5, 6
"""An exponential histogram (see `banks`), and one of an archive: of the series whose record comes before."""

EXEMPLARS_WITH_ATTRIBUTES = 7
"""Exemplars with room for attributes (see `slots`)."""

DAMAGED = ("truncated", "foreign", "corrupt")
"""Reasons that time does not mend, and no other version of this library."""


class FormatError(Exception):
    """The bytes are not ours, or damaged. ``reason`` is one word, fit for an attribute."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Header(NamedTuple):
    """What a file begins with."""

    group_id: bytes
    file_id: bytes
    created_at_ns: int
    committed: int


class Record(NamedTuple):
    """A parsed record; its cells begin at byte ``cells_at`` of the file and are ``width`` in number."""

    kind: int
    text: bytes
    cells_offset: int
    width: int

    @property
    def body(self) -> Any:
        """What the text says. Raises ValueError: those of later kinds may be anything."""
        return json.loads(self.text)


def encode_header(header: Header) -> bytes:
    """The bytes of a header."""
    return HEADER.pack(
        MAGIC, VERSION, HEADER.size, header.group_id, header.file_id, header.created_at_ns, header.committed
    )


def decode_header(data: bytes) -> Header:
    """Read a header. Raises FormatError: ``truncated``, ``foreign`` or ``version``."""
    if len(data) < HEADER.size:
        raise FormatError("truncated")
    magic, version, size, group, file, born, committed = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FormatError("foreign")
    if version != VERSION or size != HEADER.size:
        raise FormatError("version")
    return Header(group, file, born, committed)


def encode_record(kind: int, body: object, width: int) -> bytes:
    """One record with ``width`` cells of zero. Its length is a multiple of 8."""
    text = json.dumps(body, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    length = RECORD.size + len(text) + 8 * width
    return RECORD.pack(kind, length, _checksum(kind, length, width, text), width) + text + bytes(8 * width)


def encode_series(number: int, start: int, attributes: Attributes, cells: Sequence[float]) -> bytes:
    """The record of a series of descriptor ``number``, with its cells filled."""
    return _filled(SERIES, [number, start, attributes], struct.pack(f"<{len(cells)}d", *cells))


def encode_exponential(exponential: ExponentialHistogram) -> bytes:
    """The record of what a series, encoded just before, has in exponential buckets."""
    cells = exponential.cells
    return _filled(EXPONENTIAL_TOTAL, None, struct.pack(f"<{len(cells)}d", *cells))


def encode_exemplars(kind: int, number: int, start: int, attributes: Attributes, slots: bytes) -> bytes:
    """The record of a series' exemplars (see `slots`); it names the series as that one's own record does."""
    return _filled(kind, [number, start, attributes], slots)


def _filled(kind: int, body: object, cells: bytes) -> bytes:
    record = encode_record(kind, body, len(cells) // 8)
    return record[: len(record) - len(cells)] + cells


def decode_records(data: bytes, offset: int, end: int) -> Iterator[Record]:
    """The records in ``data[offset:end]``. Raises FormatError(``corrupt``) where one is damaged."""
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
    """A descriptor as JSON; the series of the file refer to it by ``number``."""
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
        *_later(descriptor),
    ]


def _later(descriptor: Descriptor) -> list[object]:
    """What is said only where there is something to say, so that earlier versions read all others."""
    if descriptor.exponential:
        return [descriptor.prometheus_type, True]
    return [descriptor.prometheus_type] if descriptor.prometheus_type else []


def decode_descriptor(body: Any) -> tuple[int, Descriptor]:
    """The inverse of `descriptor_body`. Raises FormatError(``corrupt``)."""
    try:
        number, (name, version, schema_url, attributes), *rest = body
        scope = Scope(name, version, schema_url, decode_attributes(attributes))
        metric, kind, unit, description, bounds, *others = rest
        return number, Descriptor(scope, metric, Kind(kind), unit, description, tuple(bounds), *others)
    except (ValueError, TypeError) as error:
        raise FormatError("corrupt") from error


def decode_attributes(pairs: Any) -> Attributes:
    """Attributes from JSON, where tuples became lists."""
    return tuple((key, _value(value)) for key, value in pairs)


def _value(value: Any) -> AttributeValue:
    return tuple(value) if isinstance(value, list) else value
