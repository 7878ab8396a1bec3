"""Reads the rows of one file.

Most series do not change between two scrapes. `RowReader.read_cached` returns the same tuple object for
unchanged cells, so the code that merges and renders them can use ``is`` to skip work. It compares the bytes
of a block of series at a time, which costs a fraction of unpacking them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Generic, TypeVar

from dualmetrics.storage.regions import Cells

_SeriesT = TypeVar("_SeriesT")
"""Whatever the caller uses to identify a series. This module does not look into it."""

_BLOCK = 16
"""Number of series compared at once. Smaller blocks cost more comparisons. Of larger ones, more series are
compared one by one when a single series has changed."""


class RowReader(Generic[_SeriesT]):
    """Reads the rows of a file, in the order in which they were written."""

    def __init__(self) -> None:
        self._series: list[_SeriesT] = []
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._unpacks: list[Callable[[bytes, int], Cells]] = []
        self._cached: list[Cells] = []
        self._cached_data = b""

    def add(self, series: _SeriesT, end: int, width: int) -> None:
        """Add a series whose ``width`` cells end at byte ``end``. Another thread may be reading."""
        self._begins.append(end - 8 * width)
        self._unpacks.append(_unpacker(width))
        self._ends.append(end)  # last of the three, because `_grow` looks for it
        self._series.append(series)

    def read(self, data: bytes) -> Iterable[tuple[_SeriesT, Cells]]:
        """Return the series with their cells from the bytes of the file. Nothing is cached."""
        locations = zip(self._unpacks, self._begins, strict=True)
        return zip(self._series, [unpack(data, begin) for unpack, begin in locations], strict=True)

    def read_cached(self, data: bytes) -> Iterable[tuple[_SeriesT, Cells]]:
        """Return the series with their cells. Unchanged cells are the same objects as in the last call.

        The cache takes as much memory as a copy of the file and its cells. Use up the result before the
        next call.
        """
        if data != self._cached_data:
            self._grow(len(data))
            for first in range(0, len(self._cached), _BLOCK):
                self._refresh(first, min(first + _BLOCK, len(self._cached)), data)
            self._cached_data = data
        return zip(self._series, self._cached, strict=False)  # a series may have been added meanwhile

    def _grow(self, length: int) -> None:
        """Add empty cells to the cache for every new series that a file of this length contains."""
        for end in self._ends[len(self._cached) :]:
            if end > length:
                break
            self._cached.append(())

    def _refresh(self, first: int, last: int, data: bytes) -> None:
        """Unpack again the cells of these series that have changed."""
        cached_data = self._cached_data
        block = slice(self._begins[first], self._ends[last - 1])
        if data[block] == cached_data[block]:
            return
        for index in range(first, last):
            begin, end = self._begins[index], self._ends[index]
            if data[begin:end] != cached_data[begin:end]:
                self._cached[index] = self._unpacks[index](data, begin)


@functools.lru_cache(1024)
def _unpacker(width: int) -> Callable[[bytes, int], Cells]:
    return Struct(f"<{width}d").unpack_from
