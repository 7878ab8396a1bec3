"""Protobuf's wire format, as much as the exporters need (protobuf.dev, *Encoding*).

A message is its fields one after the other. Zeros might be left out; here they are written like any value.
"""

from __future__ import annotations

import struct
from functools import lru_cache

VARINT, FIXED64, BYTES = 0, 1, 2
"""Kinds of values."""

_DOUBLE = struct.Struct("<d")


@lru_cache(1024)
def varint(value: int) -> bytes:
    """A whole number, 0 or more."""
    if value < 0x80:
        return bytes((value,))
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


@lru_cache(64)
def tag(field: int, kind: int) -> bytes:
    """What stands before a field's value."""
    return varint(field << 3 | kind)


def fixed(field: int) -> int:
    """The one byte of the tag of a field of 8 bytes (``double``, ``fixed64``), numbered below 16."""
    return field << 3 | FIXED64


def whole(field: int, value: int) -> bytes:
    """A field of type ``uint64``, ``int64`` (0 or more) or ``enum``."""
    return tag(field, VARINT) + varint(value)


def zigzag(field: int, value: int) -> bytes:
    """A field of type ``sint32`` or ``sint64``."""
    return tag(field, VARINT) + varint(value << 1 if value >= 0 else (-value << 1) - 1)


def double(field: int, value: float) -> bytes:
    """A field of type ``double``."""
    return tag(field, FIXED64) + _DOUBLE.pack(value)


def message(field: int, content: bytes) -> bytes:
    """A field that is a message, or ``bytes``."""
    return tag(field, BYTES) + varint(len(content)) + content


def text(field: int, value: str) -> bytes:
    """A field of type ``string``. What UTF-8 cannot carry (a lone surrogate) becomes ``?``."""
    return message(field, value.encode("utf-8", "replace"))
