"""An exponential histogram in cells: recorded by one process, read by others, whole whenever it is killed.

A row has two banks, and its generation says which of them is in force. A value that fits the buckets of that
one costs a single store. For one that does not, the histogram is shifted or made coarser: what it becomes is
written to the other bank, and a single store, of the next generation, puts that one in force. So whoever is
killed, wherever, leaves a bank that has everything.

======================  ======================================================================
cell                    meaning
======================  ======================================================================
0                       generation; bank 0 is in force where it is even, bank 1 where it is odd
1 and on                bank 0
1 + `BANK` and on       bank 1
the last one            the generation whose bank was begun to be written
======================  ======================================================================

A reader's copy, made from the first cell to the last, may have met the beginning of the generation after the
next, which overwrites the bank in force: the last cell tells, and the copy is `torn`.

A bank has how many scales it is below the finest, the index of its first bucket, the number of zeros, and the
buckets: a bank of zeros is an empty histogram.
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

_ZEROS = 2
_STEP = 16  # a bank begins at a multiple of it, if it can, so that others have the same boundaries
_WHOLE = slice(None)

Window = tuple[tuple[float, ...], Row]
"""The boundaries of a bank's buckets, one more than there are; and its cells from the zeros on."""


class ExponentialCells:
    """The exponential histogram of one series in one process: adds values to its row."""

    __slots__ = ("_active", "_cells", "_idle", "_window")

    def __init__(self, cells: Row) -> None:
        """Take a row of `WIDTH` zeros."""
        self._cells = cells
        self._active: Row = cells[1 : 1 + BUFFER_WIDTH]
        self._idle: Row = cells[1 + BUFFER_WIDTH : 1 + 2 * BUFFER_WIDTH]
        self._window: Window = (), self._active[_ZEROS:]

    @locked_if_free_threaded
    def add(self, value: float) -> None:
        """Count a finite value that is not negative."""
        bounds, counts = window = self._window
        at = bisect_left(bounds, value)
        # The window is looked at again after the last call: from here on no other thread is let in.
        if 0 < at <= MAX_BUCKETS and window is self._window:
            counts[at] += 1.0
        elif value:
            self.merge(ExponentialHistogram(MAX_SCALE, bucket_index(value), (1.0,)))
        else:
            self._window[1][0] += 1.0

    def merge(self, other: ExponentialHistogram) -> None:
        """Count all of ``other``, except for its sum."""
        while not self._replace(other):
            """Somebody counted meanwhile, in another thread or a signal's handler."""

    def _replace(self, other: ExponentialHistogram) -> bool:
        active, idle = self._active, self._idle
        seen = _cells(active)
        bank = _buffer(_histogram(seen).plus(other))
        window = _bounds(MAX_SCALE - int(bank[0]), int(bank[1])), idle[_ZEROS:]
        return self._switch(active, idle, seen, bank, window)

    @locked_if_free_threaded
    def _switch(self, active: Row, idle: Row, seen: Row, bank: Row, window: Window) -> bool:
        """Put ``bank`` in force if the one in force is still ``active`` and as it was ``seen``.

        No call and no new container here: nothing that could let another thread, or a finalizer, in between.
        """
        cells = self._cells
        if active is self._active and active == seen:
            generation = cells[0] + 1.0
            cells[-1] = generation
            idle[_WHOLE] = bank
            cells[0] = generation
            self._active = idle
            self._idle = active
            self._window = window
            return True
        return False


class HistogramRow(NamedTuple):
    """Where the values of one histogram's series are counted: its row, and its exponential buckets."""

    explicit: Row
    exponential: ExponentialCells


def read_histogram(cells: Sequence[float]) -> ExponentialHistogram:
    """What a row, or a copy of one that is not `torn`, has counted; without a sum."""
    begin = 1 + BUFFER_WIDTH * (int(cells[0]) % 2)
    return _histogram(cells[begin : begin + BUFFER_WIDTH])


def read_own_histogram(banks: Row, row: Row) -> ExponentialHistogram:
    """What this process' own cells have counted; ``row`` is the one beside, whose last cell is the sum."""
    cells = banks.tolist()
    while is_torn(cells[0], cells[-1]):
        cells = banks.tolist()
    return read_histogram(cells)._replace(sum=row[-1])


def is_torn(first: float, last: float) -> bool:
    """Whether a copy with these cells at its ends may be of no use."""
    return last - first > 1


def _histogram(bank: Sequence[float]) -> ExponentialHistogram:
    below, first, zeros = bank[:3]
    return trimmed(MAX_SCALE - int(below), int(first), bank[3:])._replace(zero_count=zeros)


def _buffer(found: ExponentialHistogram) -> Row:
    """A bank with room on both sides for values to come."""
    room = MAX_BUCKETS - len(found.counts)
    first = found.offset - room // 2
    first = max(first - first % _STEP, found.offset - room)
    before = found.offset - first
    cells = [
        MAX_SCALE - found.scale,
        first,
        found.zero_count,
        *[0] * before,
        *found.counts,
        *[0] * (room - before),
    ]
    return _cells(cells)


def _cells(values: Iterable[float]) -> Row:
    return memoryview(array("d", values))


@functools.lru_cache(256)
def _bounds(scale: int, first: int) -> tuple[float, ...]:
    """The boundaries of a bank's buckets: much memory, which series of similar values share."""
    return bucket_boundaries(scale, first, MAX_BUCKETS + 1)
