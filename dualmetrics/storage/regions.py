"""Regions: the memory of rows, either a mapped file of this process or its private memory.

A row is a ``memoryview`` of doubles. Code that records into it cannot tell which of the two it is.

A file is never mapped again, because an mmap with exported views cannot be resized. Instead, the file is
large, it is mapped once, and space on the disk is reserved before it is used. So a full disk is an OSError
here, and never a SIGBUS at the first store. Cells are stored through ``cast("d")``, which makes each
one a single 8-byte store. ``struct.pack_into`` does not: readers saw torn values (266,000 in 14 million).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Protocol, TypeAlias

from dualmetrics.runtime import operating_system
from dualmetrics.runtime.free_threading import while_nobody_records
from dualmetrics.storage.file_format import COMMITTED_OFFSET, HEADER, Header, encode_header, encode_record

Row: TypeAlias = "memoryview[float]"
"""The cells of one series in one process. `Kind` says what each cell means."""

Cells: TypeAlias = "tuple[float, ...]"
"""A copy of the cells of a row."""

CAPACITY = operating_system.current.file_capacity
"""Length of a worker file in bytes."""

RESERVE = operating_system.current.reservation_step
"""Space on the disk is reserved in steps of this many bytes."""


class Region(Protocol):
    """Appends records and returns their cells. Raises OSError if there is no space."""

    def append(self, kind: int, body: object, width: int) -> Row: ...


class PrivateRegion:
    """Rows in the private memory of this process, which no other process sees."""

    def append(self, kind: int, body: object, width: int) -> Row:
        """Return ``width`` new cells of zero. No record is written."""
        return private_row(width)


def private_row(width: int) -> Row:
    """Return ``width`` cells of zero in the private memory of this process."""
    return memoryview(bytearray(8 * width)).cast("d")


class MappedRegion:
    """Rows in a file that the other workers read. The next record begins at byte ``end``."""

    def __init__(self, descriptor: int, header: Header, reserve: Callable[[int, int, int], None]) -> None:
        """Map an empty file. ``reserve(descriptor, offset, length)`` reserves space, or raises OSError."""
        self._reserve = reserve
        self._descriptor = descriptor
        self._reserved = 0
        self._make_room(HEADER.size)  # before the file gets its length: macOS reserves only at the end
        os.ftruncate(descriptor, CAPACITY)
        self._map = mmap.mmap(descriptor, CAPACITY)
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")
        self._doubles = self._bytes.cast("d")
        self._bytes[: HEADER.size] = encode_header(header._replace(committed=HEADER.size))
        self.end = HEADER.size

    def append(self, kind: int, body: object, width: int) -> Row:
        """Write a record, then commit it with one store. The caller holds a lock."""
        record = encode_record(kind, body, width)
        end = self.end + len(record)
        self._make_room(end)
        self._bytes[self.end : end] = record
        self._words[COMMITTED_OFFSET // 8] = end
        self.end = end
        return self._doubles[end // 8 - width : end // 8]

    def contents(self) -> bytes:
        """Return a copy of the file up to its committed length."""
        return self._bytes[: self.end].tobytes()

    def move(self, descriptor: int) -> None:
        """Continue in another, empty file. Rows that were given stay valid. The caller holds a lock.

        The region does not keep ``descriptor``: the caller gives the new file the number of the old one.
        Raises OSError, and has then changed nothing.
        """
        self._reserve(descriptor, 0, self._reserved)
        os.ftruncate(descriptor, CAPACITY)
        with mmap.mmap(descriptor, CAPACITY) as target:
            while_nobody_records(lambda: self._switch(descriptor, target))

    def _switch(self, descriptor: int, target: mmap.mmap) -> None:
        copy = self.contents()
        target[: len(copy)] = copy
        operating_system.current.map_over(self._bytes, descriptor)
        self._add_missed(copy, os.pread(self._descriptor, len(copy), 0))

    def _add_missed(self, copy: bytes, latest: bytes) -> None:
        """Add what another thread has recorded in the old file between the copy and the switch."""
        if copy != latest:
            pairs = zip(memoryview(copy).cast("d"), memoryview(latest).cast("d"), strict=True)
            for index, (old, new) in enumerate(pairs):
                if old != new:
                    self._doubles[index] += new - old

    def _make_room(self, end: int) -> None:
        if end > CAPACITY:
            raise OSError(f"a worker file cannot be larger than {CAPACITY} bytes")
        if end > self._reserved:
            new_end = min(CAPACITY, -(-end // RESERVE) * RESERVE)
            self._reserve(self._descriptor, self._reserved, new_end - self._reserved)
            self._reserved = new_end
