"""Exponential cells: an exponential histogram in a row that one process records and others read.

The row has two buffers, and its generation says which of them is current. A value that fits into the buckets
of the current buffer costs one store. For a value that does not fit, the histogram is shifted or reduced to a
lower scale. The new histogram is written to the other buffer, and then one store, of the next generation,
makes that buffer current. So the current buffer is complete at whatever instruction the process is killed.

=========================  ===================================================================
cell                       meaning
=========================  ===================================================================
0                          generation: buffer 0 is current if it is even, buffer 1 if it is odd
1 and on                   buffer 0
1 + `BUFFER_WIDTH` and on  buffer 1
the last one               the generation that the process last began to write
=========================  ===================================================================

A buffer has the number of scales by which it is below the finest one, the index of its first bucket, the
number of zeros, and the buckets. Each of its cells also has a tag: the generation of the buffer modulo 16, in
bits of the double that no count below 2**47 reaches. Generation 0 is an empty histogram without a buffer.

A reader's copy of the row may be torn in two ways, and `is_torn` finds both:

- While the row was copied, the process has switched and begun to write the generation after that, which
  overwrites the buffer that was current. The last cell shows this.
- The processor shows stores in another order than that of the program, as aarch64 may do. A cell of the
  current buffer that is older or newer than the generation has another tag.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from dualmetrics.model.exponential_buckets import MAX_SCALE, bucket_boundaries, bucket_index
from dualmetrics.model.exponential_histogram import MAX_BUCKETS, ExponentialHistogram, trimmed
from dualmetrics.storage.regions import Row

BUFFER_WIDTH = 3 + MAX_BUCKETS
EXPONENTIAL_WIDTH = 2 + 2 * BUFFER_WIDTH

_ZERO_COUNT = 2
"""The cell of a buffer that holds the number of zeros."""

_TAGS = 16
"""The number of tags. A cell that is older than its buffer has another tag unless it is 16 generations older;
by then the last cell shows it."""

_TAG_BYTE = 6
"""The byte of a little-endian double that has the tag in its lower half."""

_DOUBLE = Struct("<d")

_ALIGNMENT = 16
"""The first bucket is a multiple of this where possible, so that several series share their boundaries."""

_WHOLE = slice(None)

_Window = tuple[tuple[float, ...], Row]
"""The boundaries of a buffer's buckets, one more than there are buckets, and its cells from the zeros on."""


class ExponentialCells:
    """Adds values to the exponential histogram of one series in one process.

    On a free-threaded interpreter, the caller holds the lock of the row's shard.
    """

    __slots__ = ("_active", "_cells", "_idle", "_window")

    def __init__(self, cells: Row) -> None:
        """``cells`` is a row of `EXPONENTIAL_WIDTH` zeros."""
        self._cells = cells
        self._active: Row = cells[1 : 1 + BUFFER_WIDTH]
        self._idle: Row = cells[1 + BUFFER_WIDTH : 1 + 2 * BUFFER_WIDTH]
        self._window: _Window = (), self._active[_ZERO_COUNT:]
        self._switch(1.0, (self._active, self._idle), _EMPTY, _FIRST, ((), self._idle[_ZERO_COUNT:]))

    def add(self, value: float) -> None:
        """Count a finite value that is not negative."""
        bounds, counts = window = self._window
        index = bisect_left(bounds, value)
        # The window is checked after the last call: from here on, no other thread can run in between.
        if 0 < index <= MAX_BUCKETS and window is self._window:
            counts[index] += 1.0
        elif value:
            self.merge(ExponentialHistogram(MAX_SCALE, bucket_index(value), (1.0,)))
        else:
            self._window[1][0] += 1.0

    def merge(self, other: ExponentialHistogram) -> None:
        """Add all counts of ``other``, but not its sum."""
        while not self._try_merge(other):
            pass  # another thread or a signal handler has recorded a value meanwhile

    def _try_merge(self, other: ExponentialHistogram) -> bool:
        active, idle, generation = self._active, self._idle, self._cells[0]
        seen = _as_row(active)
        if active is not self._active or self._cells[0] != generation:
            return False  # the copy may be of another generation
        merged = _new_buffer(_histogram(seen, generation).plus(other))
        window = _bounds(MAX_SCALE - int(merged[0]), int(merged[1])), idle[_ZERO_COUNT:]
        base = _base(generation + 1)
        tagged = _as_row([cell + base for cell in merged])
        return self._switch(generation + 1, (active, idle), seen, tagged, window)

    def _switch(
        self, generation: float, buffers: tuple[Row, Row], seen: Row, merged: Row, window: _Window
    ) -> bool:
        """Make ``merged`` the next ``generation`` if the active buffer is still current and equals ``seen``.

        There are no calls and no new containers here, since these could let another thread or a finalizer
        run in between.
        """
        cells = self._cells
        active, idle = buffers
        if active is self._active and cells[0] + 1.0 == generation and active == seen:
            cells[-1] = generation
            idle[_WHOLE] = merged
            cells[0] = generation
            self._active = idle
            self._idle = active
            self._window = window
            return True
        return False


class HistogramRow(NamedTuple):
    """Where a series of a histogram is recorded: its row, and its exponential cells."""

    explicit: Row
    exponential: ExponentialCells


def read_histogram(cells: Sequence[float]) -> ExponentialHistogram:
    """Return the histogram in a row, or in a copy of one that is not torn. Its sum is 0."""
    generation = cells[0]
    if not generation:
        return ExponentialHistogram()
    begin = 1 + BUFFER_WIDTH * (generation % 2 == 1)
    return _histogram(cells[begin : begin + BUFFER_WIDTH], generation)


def read_own_histogram(exponential_row: Row, row: Row) -> ExponentialHistogram:
    """Return the histogram in this process' own exponential cells.

    ``row`` has the explicit buckets of the same series. Its last cell is the sum.
    """
    data = exponential_row.tobytes()
    while is_torn(data):
        data = exponential_row.tobytes()
    return read_histogram(memoryview(data).cast("d"))._replace(sum=row[-1])


def is_torn(data: bytes, begin: int = 0) -> bool:
    """Whether the copy of a row at byte ``begin`` may mix two generations in one buffer."""
    first: float = _DOUBLE.unpack_from(data, begin)[0]
    last: float = _DOUBLE.unpack_from(data, begin + 8 * (EXPONENTIAL_WIDTH - 1))[0]
    if not first:
        return last > 1
    buffer = begin + 8 + 8 * BUFFER_WIDTH * (first % 2 == 1)
    tags = data[buffer + _TAG_BYTE : buffer + 8 * BUFFER_WIDTH : 8]
    return last - first > 1 or tags != _TAG_BYTES.get(first % _TAGS)


def _base(generation: float) -> float:
    """What each cell of a buffer of this generation has besides its own value: it makes the tag.

    All of these are between 2**52 and 2**53, so they and the values on top are exact. The last summand
    keeps an index below zero from changing the tag.
    """
    return 2.0**52 + generation % _TAGS * 2.0**48 + 2.0**47


_TAG_BYTES = {
    float(tag): _DOUBLE.pack(_base(tag))[_TAG_BYTE : _TAG_BYTE + 1] * BUFFER_WIDTH for tag in range(_TAGS)
}
"""The bytes with the tag, of all cells of a buffer, by the tag of its generation."""


def _histogram(buffer: Sequence[float], generation: float) -> ExponentialHistogram:
    base = _base(generation)
    scales_below, first, zero_count, *counts = [cell - base for cell in buffer]
    return trimmed(MAX_SCALE - int(scales_below), int(first), counts)._replace(zero_count=zero_count)


def _new_buffer(histogram: ExponentialHistogram) -> list[float]:
    """The values of a buffer with empty buckets on both sides for later values."""
    room = MAX_BUCKETS - len(histogram.counts)
    first = histogram.offset - room // 2
    first = max(first - first % _ALIGNMENT, histogram.offset - room)
    before = histogram.offset - first
    return [
        MAX_SCALE - histogram.scale,
        first,
        histogram.zero_count,
        *[0] * before,
        *histogram.counts,
        *[0] * (room - before),
    ]


def _as_row(values: Iterable[float]) -> Row:
    return memoryview(array("d", values))


@functools.lru_cache(256)
def _bounds(scale: int, first: int) -> tuple[float, ...]:
    """The boundaries of a buffer's buckets. They are large, so series with similar values share them."""
    return bucket_boundaries(scale, first, MAX_BUCKETS + 1)


_EMPTY = _as_row([0.0] * BUFFER_WIDTH)
_FIRST = _as_row([_base(1)] * BUFFER_WIDTH)
"""A buffer of a new row, and one of generation 1, which is empty too."""
