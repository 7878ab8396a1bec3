"""Slots: where a worker keeps the latest exemplar of each bucket of a series.

======  =====  ==============================================================
offset  bytes  field of a slot
======  =====  ==============================================================
0       8      CRC-32 of the rest, plus 2**32; 0 in a slot that was never used
8       8      value, a double
16      8      time, nanoseconds since the epoch
24      16     trace id, the upper half first
40      8      span id
======  =====  ==============================================================

Anyone may read at any time, and the writer may be killed midway. A slot whose checksum is wrong is taken for
empty: an exemplar may be missed, none is ever a mixture of two. (Sequence numbers at both ends would need the
stores and the reads in a certain order, which neither ``pread`` nor every processor promises.)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from dualmetrics.snapshot import Descriptor, Exemplar, Exemplars, Kind

Slots: TypeAlias = "memoryview[int]"
"""The bytes of the slots of one series in one process."""

_CHECK = struct.Struct("<Q")
_FIELDS = struct.Struct("<dQQQQ")
_SLOT = struct.Struct("<QdQQQQ")
_USED = 1 << 32
_LOW = (1 << 64) - 1

Key = TypeVar("Key")


def count(descriptor: Descriptor) -> int:
    """How many slots a series of this metric has. OpenMetrics has exemplars on no other kinds."""
    if descriptor.kind is Kind.HISTOGRAM:
        return len(descriptor.bounds) + 1
    return int(descriptor.kind is Kind.COUNTER)


def width(descriptor: Descriptor) -> int:
    """How many cells of 8 bytes the slots of a series take."""
    return count(descriptor) * _SLOT.size // 8


def private(descriptor: Descriptor) -> Slots:
    """Slots that nobody else sees."""
    return memoryview(bytearray(8 * width(descriptor)))


def write(slots: Slots, index: int, exemplar: Exemplar) -> None:
    """Replace the exemplar of a bucket."""
    slots[index * _SLOT.size : (index + 1) * _SLOT.size] = _encoded(exemplar)


def encode(exemplars: Exemplars) -> bytes:
    """The bytes of slots that hold these exemplars."""
    return b"".join(_encoded(each) if each else bytes(_SLOT.size) for each in exemplars)


def decode(data: bytes | Slots) -> Exemplars:
    """What the slots hold; empty if that is nothing."""
    checks = memoryview(data).cast("Q").tolist()[:: _SLOT.size // 8]  # most slots are empty
    if not any(checks):
        return ()
    found = tuple([_decoded(data, at) if check else None for at, check in enumerate(checks)])
    return found if any(found) else ()


def merge(found: Iterable[tuple[Key, Exemplars]]) -> dict[Key, Exemplars]:
    """Of each bucket of each series the latest exemplar."""
    merged: dict[Key, Exemplars] = {}
    for key, exemplars in found:
        if exemplars:
            have = merged.get(key)
            merged[key] = tuple(map(_later, have, exemplars)) if have else exemplars
    return merged


def _encoded(exemplar: Exemplar) -> bytes:
    value, time, trace_id, span_id = exemplar
    fields = _FIELDS.pack(value, time, trace_id >> 64, trace_id & _LOW, span_id)
    return _CHECK.pack(_USED + zlib.crc32(fields)) + fields


def _decoded(data: bytes | Slots, at: int) -> Exemplar | None:
    slot = bytes(data[at * _SLOT.size : (at + 1) * _SLOT.size])
    check, value, time, high, low, span_id = _SLOT.unpack(slot)
    if check != _USED + zlib.crc32(slot[_CHECK.size :]):
        return None
    return Exemplar(value, time, high << 64 | low, span_id)


def _later(one: Exemplar | None, other: Exemplar | None) -> Exemplar | None:
    if one is None or other is None:
        return one or other
    return other if other.time > one.time else one
