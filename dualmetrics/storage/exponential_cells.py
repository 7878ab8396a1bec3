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

A reader copies the row from the first cell to the last. Meanwhile the process may have switched once and
begun to write the generation after that, which overwrites the buffer that was current. The last cell shows
this: the copy is torn (see `is_torn`).

A buffer has the number of scales by which it is below the finest one, the index of its first bucket, the
number of zeros, and the buckets. A buffer of zeros is an empty histogram.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dualmetrics.model.exponential_buckets import MAX_SCALE, bucket_boundaries, bucket_index
from dualmetrics.model.exponential_histogram import MAX_BUCKETS, ExponentialHistogram, trimmed
from dualmetrics.runtime.free_threading import locked_if_free_threaded
from dualmetrics.storage.regions import Row

BUFFER_WIDTH = 3 + MAX_BUCKETS
EXPONENTIAL_WIDTH = 2 + 2 * BUFFER_WIDTH

_ZERO_COUNT = 2
"""The cell of a buffer that holds the number of zeros."""

_ALIGNMENT = 16
"""The first bucket is a multiple of this where possible, so that several series share their boundaries."""

_WHOLE = slice(None)

_Window = tuple[tuple[float, ...], Row]
"""The boundaries of a buffer's buckets, one more than there are buckets, and its cells from the zeros on."""


class ExponentialCells:
    """Adds values to the exponential histogram of one series in one process."""

    __slots__ = ("_active", "_cells", "_idle", "_window")

    def __init__(self, cells: Row) -> None:
        """``cells`` is a row of `EXPONENTIAL_WIDTH` zeros."""
        self._cells = cells
        self._active: Row = cells[1 : 1 + BUFFER_WIDTH]
        self._idle: Row = cells[1 + BUFFER_WIDTH : 1 + 2 * BUFFER_WIDTH]
        self._window: _Window = (), self._active[_ZERO_COUNT:]

    @locked_if_free_threaded
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
        active, idle = self._active, self._idle
        seen = _as_row(active)
        merged = _new_buffer(_histogram(seen).plus(other))
        window = _bounds(MAX_SCALE - int(merged[0]), int(merged[1])), idle[_ZERO_COUNT:]
        return self._switch(active, idle, seen, merged, window)

    @locked_if_free_threaded
    def _switch(self, active: Row, idle: Row, seen: Row, merged: Row, window: _Window) -> bool:
        """Make ``merged`` current if ``active`` is still the current buffer and still equals ``seen``.

        There are no calls and no new containers here, since these could let another thread or a finalizer
        run in between.
        """
        cells = self._cells
        if active is self._active and active == seen:
            generation = cells[0] + 1.0
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
    begin = 1 + BUFFER_WIDTH * (int(cells[0]) % 2)
    return _histogram(cells[begin : begin + BUFFER_WIDTH])


def read_own_histogram(exponential_row: Row, row: Row) -> ExponentialHistogram:
    """Return the histogram in this process' own exponential cells.

    ``row`` has the explicit buckets of the same series. Its last cell is the sum.
    """
    cells = exponential_row.tolist()
    while is_torn(cells[0], cells[-1]):
        cells = exponential_row.tolist()
    return read_histogram(cells)._replace(sum=row[-1])


def is_torn(first: float, last: float) -> bool:
    """Whether a copy with these first and last cells may mix two generations in one buffer."""
    return last - first > 1


def _histogram(buffer: Sequence[float]) -> ExponentialHistogram:
    scales_below, first, zero_count = buffer[:3]
    return trimmed(MAX_SCALE - int(scales_below), int(first), buffer[3:])._replace(zero_count=zero_count)


def _new_buffer(histogram: ExponentialHistogram) -> Row:
    """A buffer with empty buckets on both sides for later values."""
    room = MAX_BUCKETS - len(histogram.counts)
    first = histogram.offset - room // 2
    first = max(first - first % _ALIGNMENT, histogram.offset - room)
    before = histogram.offset - first
    cells = [
        MAX_SCALE - histogram.scale,
        first,
        histogram.zero_count,
        *[0] * before,
        *histogram.counts,
        *[0] * (room - before),
    ]
    return _as_row(cells)


def _as_row(values: Iterable[float]) -> Row:
    return memoryview(array("d", values))


@functools.lru_cache(256)
def _bounds(scale: int, first: int) -> tuple[float, ...]:
    """The boundaries of a buffer's buckets. They are large, so series with similar values share them."""
    return bucket_boundaries(scale, first, MAX_BUCKETS + 1)
