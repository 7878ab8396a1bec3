"""Reading the rows of one file.

Between two scrapes most series do not change. Where it pays, their cells stay the very same objects, so that
whoever comes later (`merge`, the page) tells by ``is`` what needs no new work. The bytes are compared a block
of series at a time, which costs a fraction of reading them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Generic, TypeVar

from dualmetrics.storage.regions import Cells

SeriesT = TypeVar("SeriesT")
"""What identifies a series for whoever reads; nothing here looks into it."""

_BLOCK = 16
"""Series that are compared at once: fewer cost more comparisons, more are read again for one that changed."""


class RowReader(Generic[SeriesT]):
    """The series of a file, in the order in which they were written."""

    def __init__(self) -> None:
        self._series: list[SeriesT] = []
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._unpacks: list[Callable[[bytes, int], Cells]] = []
        self._cached: list[Cells] = []
        self._seen = b""

    def add(self, series: SeriesT, end: int, width: int) -> None:
        """There is a series whose cells, ``width`` in number, end at this byte. Another thread may read."""
        self._begins.append(end - 8 * width)
        self._unpacks.append(_reading(width))
        self._ends.append(end)  # by which `_grow` finds it
        self._series.append(series)

    def read(self, data: bytes) -> Iterable[tuple[SeriesT, Cells]]:
        """The series with their cells, from the file's bytes; nothing is kept."""
        places = zip(self._unpacks, self._begins, strict=True)
        return zip(self._series, [unpack(data, begin) for unpack, begin in places], strict=True)

    def read_cached(self, data: bytes) -> Iterable[tuple[SeriesT, Cells]]:
        """The same for a file that is read again and again: cells that are as last time are the same objects.

        Takes the memory of a copy of the file and its cells. To be consumed before the next call.
        """
        if data != self._seen:
            self._grow(len(data))
            for first in range(0, len(self._cached), _BLOCK):
                self._refresh(first, min(first + _BLOCK, len(self._cached)), data)
            self._seen = data
        return zip(self._series, self._cached, strict=False)  # a series may have been added meanwhile

    def _grow(self, length: int) -> None:
        """Make room for the cells of places that so many bytes contain."""
        for end in self._ends[len(self._cached) :]:
            if end > length:
                break
            self._cached.append(())

    def _refresh(self, first: int, last: int, data: bytes) -> None:
        """Read anew what differs of these series."""
        seen = self._seen
        block = slice(self._begins[first], self._ends[last - 1])
        if data[block] == seen[block]:
            return
        for at in range(first, last):
            begin, end = self._begins[at], self._ends[at]
            if data[begin:end] != seen[begin:end]:
                self._cached[at] = self._unpacks[at](data, begin)


@functools.lru_cache(1024)
def _reading(width: int) -> Callable[[bytes, int], Cells]:
    return Struct(f"<{width}d").unpack_from
