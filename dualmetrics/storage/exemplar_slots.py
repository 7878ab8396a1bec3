"""Slots: where a worker keeps the latest exemplar of each bucket of a series.

======  =====  ==============================================================
offset  bytes  field of a slot
======  =====  ==============================================================
0       8      CRC-32 of the rest, plus 2**32; 0 in a slot that was never used
8       8      value, a double
16      8      time, nanoseconds since the epoch
24      16     trace id, the upper half first
40      8      span id
48      208    in slots that are `ROOMY`: attributes as JSON, and zeros
======  =====  ==============================================================

Our own exemplars have no attributes, those of other libraries may: a series gets roomy slots beside its plain
ones when the first of these comes. Attributes that do not fit are left out.

Anyone may read at any time, and the writer may be killed midway. A slot whose checksum is wrong is taken for
empty: an exemplar may be missed, none is ever a mixture of two. (Sequence numbers at both ends would need the
stores and the reads in a certain order, which neither ``pread`` nor every processor promises.)
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
"""The kinds of the records that have slots of this size."""

SIZE_BY_RECORD_KIND = {kind: size for size, kind in RECORD_KINDS.items()}

_USED = 1 << 32
_LOW = (1 << 64) - 1

_Key = TypeVar("_Key")


def slot_count(descriptor: Descriptor) -> int:
    """How many slots a series of this metric has. OpenMetrics has exemplars on no other kinds."""
    if descriptor.kind is Kind.HISTOGRAM:
        return len(descriptor.bounds) + 1
    return int(descriptor.kind is Kind.COUNTER)


def slot_size(exemplars: Exemplars) -> int:
    """The size of the slots that take these."""
    return WITH_ATTRIBUTES if any(each.attributes for each in exemplars if each) else PLAIN


def slots_width(descriptor: Descriptor, size: int = PLAIN) -> int:
    """How many cells of 8 bytes the slots of a series take."""
    return slot_count(descriptor) * size // 8


def private_slots(descriptor: Descriptor, size: int = PLAIN) -> SlotBytes:
    """Slots that nobody else sees."""
    return memoryview(bytearray(8 * slots_width(descriptor, size)))


def write_slot(slots: SlotBytes, index: int, exemplar: Exemplar, size: int = PLAIN) -> None:
    """Replace the exemplar of a bucket."""
    slots[index * size : (index + 1) * size] = _encoded(exemplar, size)


def encode_slots(exemplars: Exemplars, size: int = PLAIN) -> bytes:
    """The bytes of slots that hold these exemplars."""
    return b"".join(_encoded(each, size) if each else bytes(size) for each in exemplars)


def decode_slots(data: bytes | SlotBytes, size: int = PLAIN) -> Exemplars:
    """What the slots hold; empty if that is nothing."""
    checks = memoryview(data).cast("Q").tolist()[:: size // 8]  # most slots are empty
    if not any(checks):
        return ()
    found = tuple([_decoded(data[at * size :][:size]) if check else None for at, check in enumerate(checks)])
    return found if any(found) else ()


def latest_exemplars(found: Iterable[tuple[_Key, Exemplars]]) -> dict[_Key, Exemplars]:
    """Of each bucket of each series the latest exemplar."""
    merged: dict[_Key, Exemplars] = {}
    for key, exemplars in found:
        if exemplars:
            have = merged.get(key)
            merged[key] = tuple(map(_later, have, exemplars)) if have else exemplars
    return merged


def _encoded(exemplar: Exemplar, size: int) -> bytes:
    value, time, trace_id, span_id, attributes = exemplar
    fields = _FIELDS.pack(value, time, trace_id >> 64, trace_id & _LOW, span_id)
    if size > PLAIN:
        fields += _text(attributes, size - PLAIN)
    return _CHECK.pack(_USED + zlib.crc32(fields)) + fields


def _text(attributes: Attributes, room: int) -> bytes:
    """The first attributes, as many as there is room for."""
    kept: list[tuple[str, AttributeValue]] = []
    text = b"[]"
    for pair in attributes:
        longer = json.dumps([*kept, pair], separators=(",", ":"), ensure_ascii=False).encode()
        if len(longer) <= room:
            text = longer
            kept.append(pair)
    return text.ljust(room, b"\0")


def _decoded(data: bytes | SlotBytes) -> Exemplar | None:
    slot = bytes(data)
    check, value, time, high, low, span_id = _SLOT.unpack_from(slot)
    if check != _USED + zlib.crc32(slot[_CHECK.size :]):
        return None
    text = slot[PLAIN:].rstrip(b"\0")
    attributes = decode_attributes(json.loads(text)) if text else ()
    return Exemplar(value, time, high << 64 | low, span_id, attributes)


def _later(one: Exemplar | None, other: Exemplar | None) -> Exemplar | None:
    if one is None or other is None:
        return one or other
    return other if other.time_ns > one.time_ns else one
