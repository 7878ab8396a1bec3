"""Protobuf's wire format, as far as the exporters need it (protobuf.dev, *Encoding*).

A message is the concatenation of its fields. A field with the value 0 may be omitted; these functions write
it like any other.
"""

from __future__ import annotations

import struct
from functools import lru_cache

VARINT, FIXED64, BYTES = 0, 1, 2
"""The wire types in use."""

_DOUBLE = struct.Struct("<d")


@lru_cache(1024)
def varint(value: int) -> bytes:
    """A non-negative integer as a varint."""
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


@lru_cache(64)
def tag(field: int, wire_type: int) -> bytes:
    """The tag that precedes a field's value."""
    return varint(field << 3 | wire_type)


def fixed64_tag(field: int) -> int:
    """The one-byte tag of an 8-byte field (``double``, ``fixed64``). The field number must be below 16."""
    return field << 3 | FIXED64


def uint_field(field: int, value: int) -> bytes:
    """A field of type ``uint64``, ``enum``, or ``int64`` with a non-negative value."""
    return tag(field, VARINT) + varint(value)


def sint_field(field: int, value: int) -> bytes:
    """A field of type ``sint32`` or ``sint64``."""
    return tag(field, VARINT) + varint(value << 1 if value >= 0 else (-value << 1) - 1)


def double_field(field: int, value: float) -> bytes:
    """A field of type ``double``."""
    return tag(field, FIXED64) + _DOUBLE.pack(value)


def message_field(field: int, content: bytes) -> bytes:
    """A field that holds a message or ``bytes``."""
    return tag(field, BYTES) + varint(len(content)) + content


def string_field(field: int, value: str) -> bytes:
    """A field of type ``string``. Characters that UTF-8 cannot encode (lone surrogates) become ``?``."""
    return message_field(field, value.encode("utf-8", "replace"))
