"""Where rows of cells live: one mapped file of this process, or its own memory.

A row is a ``memoryview`` of doubles. Whoever records into it cannot tell which of the two it is.

Nothing is ever remapped, because an mmap with exported views cannot be resized: the file is made large
and sparse, mapped once, and space is reserved on the disk before it is touched. So a full disk is an
OSError here, and never a SIGBUS at the first store. Cells are stored through ``cast("d")``, which is one
8-byte store; ``struct.pack_into`` is not and was seen to tear.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Protocol, TypeAlias

from dualmetrics.storage.file_format import COMMITTED_OFFSET, HEADER, Header, encode_header, encode_record

Row: TypeAlias = "memoryview[float]"
"""The cells of one series in one process. `Kind` says what each of them means."""

Cells: TypeAlias = "tuple[float, ...]"
"""A copy of the cells of a row."""

CAPACITY = 1 << 28
"""Length of a worker's sparse file in bytes: address space, not memory; room for about 700,000 series."""

RESERVE = 1 << 16
"""Space is reserved in steps of this many bytes."""


class Region(Protocol):
    """Appends records and gives the memory of their cells. Raises OSError where there is no space."""

    def append(self, kind: int, body: object, width: int) -> Row: ...


class PrivateRegion:
    """Rows in this process' own memory, seen by nobody else."""

    def append(self, kind: int, body: object, width: int) -> Row:
        """Give ``width`` new cells of zero; there is no record to write."""
        return private_row(width)


def private_row(width: int) -> Row:
    """Cells in this process' own memory."""
    return memoryview(bytearray(8 * width)).cast("d")


class MappedRegion:
    """Rows in a file that the sibling workers read. ``end`` is where the next record begins, in bytes."""

    def __init__(self, descriptor: int, header: Header, reserve: Callable[[int, int, int], None]) -> None:
        """Map the empty file ``descriptor``; ``reserve(fd, offset, length)`` may raise OSError."""
        self._reserve = reserve
        self._descriptor = descriptor
        self._reserved = 0
        os.ftruncate(descriptor, CAPACITY)
        self._make_room(HEADER.size)
        self._map = mmap.mmap(descriptor, CAPACITY)
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")
        self._doubles = self._bytes.cast("d")
        self._bytes[: HEADER.size] = encode_header(header._replace(committed=HEADER.size))
        self.end = HEADER.size

    def append(self, kind: int, body: object, width: int) -> Row:
        """Write a record, then commit it with one store. Not thread-safe: the caller holds a lock."""
        record = encode_record(kind, body, width)
        end = self.end + len(record)
        self._make_room(end)
        self._bytes[self.end : end] = record
        self._words[COMMITTED_OFFSET // 8] = end
        self.end = end
        return self._doubles[end // 8 - width : end // 8]

    def contents(self) -> bytes:
        """The bytes of the file as they are now, up to its committed length."""
        return self._bytes[: self.end].tobytes()

    def _make_room(self, end: int) -> None:
        if end > CAPACITY:
            raise OSError(f"a worker's file holds no more than {CAPACITY} bytes")
        if end > self._reserved:
            upto = min(CAPACITY, -(-end // RESERVE) * RESERVE)
            self._reserve(self._descriptor, self._reserved, upto - self._reserved)
            self._reserved = upto


def no_reservation(descriptor: int, offset: int, length: int) -> None:
    """For systems without ``posix_fallocate``: a full disk shows itself only at the first store."""


reserve: Callable[[int, int, int], None] = getattr(os, "posix_fallocate", no_reservation)
