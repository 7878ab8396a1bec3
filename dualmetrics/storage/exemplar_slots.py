"""Exemplar slots: where a worker keeps the latest exemplar of each bucket of a series.

======  =====  ==============================================================
offset  bytes  field of a slot
======  =====  ==============================================================
0       8      CRC-32 of the rest, plus 2**32; 0 in a slot that was never used
8       8      value, a double
16      8      time, nanoseconds since the epoch
24      16     trace id, the upper half first
40      8      span id
48      208    only in slots of size `WITH_ATTRIBUTES`: JSON, padded with zeros
======  =====  ==============================================================

Exemplars of this library have no attributes. Exemplars of other libraries may have some: when the first of
these arrives, the series gets a second set of larger slots. Attributes that do not fit are dropped.

Readers may come at any time, and the writer may be killed in the middle of a write. A slot with a wrong
checksum counts as empty, so an exemplar may be missed, but none is ever a mixture of two. (Sequence numbers
at both ends of a slot would require an order of stores and reads that neither ``pread`` nor every processor
guarantees.)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Exemplar, Exemplars
from dualmetrics.storage.file_format import EXEMPLARS, EXEMPLARS_WITH_ATTRIBUTES, decode_attributes

SlotBytes: TypeAlias = "memoryview[int]"
"""The bytes of the slots of one series in one process."""

_CHECK = struct.Struct("<Q")
_FIELDS = struct.Struct("<dQQQQ")
_SLOT = struct.Struct("<QdQQQQ")
PLAIN, WITH_ATTRIBUTES = _SLOT.size, 256
"""The sizes of a slot, in bytes."""

RECORD_KINDS = {PLAIN: EXEMPLARS, WITH_ATTRIBUTES: EXEMPLARS_WITH_ATTRIBUTES}
"""The kind of the record that holds slots of this size."""

SIZE_BY_RECORD_KIND = {kind: size for size, kind in RECORD_KINDS.items()}

_USED = 1 << 32
_LOW = (1 << 64) - 1

_Key = TypeVar("_Key")


def slot_count(descriptor: Descriptor) -> int:
    """Return the number of slots of a series. OpenMetrics allows exemplars only on these two kinds."""
    if descriptor.kind is Kind.HISTOGRAM:
        return len(descriptor.bounds) + 1
    return int(descriptor.kind is Kind.COUNTER)


def slot_size(exemplars: Exemplars) -> int:
    """Return the size of the slots that these exemplars need."""
    return WITH_ATTRIBUTES if any(exemplar.attributes for exemplar in exemplars if exemplar) else PLAIN


def slots_width(descriptor: Descriptor, size: int = PLAIN) -> int:
    """Return the number of cells, 8 bytes each, that the slots of a series take."""
    return slot_count(descriptor) * size // 8


def private_slots(descriptor: Descriptor, size: int = PLAIN) -> SlotBytes:
    """Return slots in the memory of this process, which no other process sees."""
    return memoryview(bytearray(8 * slots_width(descriptor, size)))


def write_slot(slots: SlotBytes, index: int, exemplar: Exemplar, size: int = PLAIN) -> None:
    """Replace the exemplar of a bucket."""
    slots[index * size : (index + 1) * size] = _encoded(exemplar, size)


def encode_slots(exemplars: Exemplars, size: int = PLAIN) -> bytes:
    """Return the bytes of slots that hold these exemplars."""
    return b"".join(_encoded(exemplar, size) if exemplar else bytes(size) for exemplar in exemplars)


def decode_slots(data: bytes | SlotBytes, size: int = PLAIN) -> Exemplars:
    """Return the exemplars in the slots, or an empty tuple if there are none."""
    checks = memoryview(data).cast("Q").tolist()[:: size // 8]  # most slots are empty
    if not any(checks):
        return ()
    exemplars = tuple(
        [_decoded(data[slot * size :][:size]) if check else None for slot, check in enumerate(checks)]
    )
    return exemplars if any(exemplars) else ()


def latest_exemplars(sources: Iterable[tuple[_Key, Exemplars]]) -> dict[_Key, Exemplars]:
    """Return the latest exemplar of each bucket, by series."""
    latest: dict[_Key, Exemplars] = {}
    for key, exemplars in sources:
        if exemplars:
            known = latest.get(key)
            latest[key] = tuple(map(_later, known, exemplars)) if known else exemplars
    return latest


def _encoded(exemplar: Exemplar, size: int) -> bytes:
    value, time, trace_id, span_id, attributes = exemplar
    fields = _FIELDS.pack(value, time, trace_id >> 64, trace_id & _LOW, span_id)
    if size > PLAIN:
        fields += _attributes_json(attributes, size - PLAIN)
    return _CHECK.pack(_USED + zlib.crc32(fields)) + fields


def _attributes_json(attributes: Attributes, max_length: int) -> bytes:
    """The attributes as JSON, padded to ``max_length``. Attributes that do not fit are dropped."""
    kept: list[tuple[str, AttributeValue]] = []
    encoded = b"[]"
    for pair in attributes:
        longer = json.dumps([*kept, pair], separators=(",", ":"), ensure_ascii=False).encode()
        if len(longer) <= max_length:
            encoded = longer
            kept.append(pair)
    return encoded.ljust(max_length, b"\0")


def _decoded(data: bytes | SlotBytes) -> Exemplar | None:
    slot = bytes(data)
    check, value, time, high, low, span_id = _SLOT.unpack_from(slot)
    if check != _USED + zlib.crc32(slot[_CHECK.size :]):
        return None
    encoded = slot[PLAIN:].rstrip(b"\0")
    attributes = decode_attributes(json.loads(encoded)) if encoded else ()
    return Exemplar(value, time, high << 64 | low, span_id, attributes)


def _later(one: Exemplar | None, other: Exemplar | None) -> Exemplar | None:
    if one is None or other is None:
        return one or other
    return other if other.time_ns > one.time_ns else one
