"""Reads the exponential histograms of one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct
from typing import Generic, NamedTuple, TypeVar

from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH, is_torn, read_histogram

_SeriesT = TypeVar("_SeriesT")

_CELLS, _DOUBLE = Struct(f"<{EXPONENTIAL_WIDTH}d"), Struct("<d")


class CellsLocation(NamedTuple):
    """Where the exponential cells of a series are in the file, and where the sum of its values is."""

    begin: int
    end: int
    sum_offset: int


class TotalLocation(NamedTuple):
    """Where a total of an archive is in the file, and the struct that unpacks its cells."""

    begin: int
    cells: Struct


class ExponentialReader(Generic[_SeriesT]):
    """The exponential histograms of a file: the cells of a worker, or the totals of an archive."""

    def __init__(self) -> None:
        self._cells: list[tuple[_SeriesT, CellsLocation]] = []
        self._totals: list[tuple[_SeriesT, TotalLocation]] = []

    def add_cells(self, series: _SeriesT, row_end: int, end: int) -> None:
        """Add the exponential cells of a series. They end at byte ``end``, its row at byte ``row_end``."""
        self._cells.append((series, CellsLocation(end - _CELLS.size, end, row_end - _DOUBLE.size)))

    def add_total(self, series: _SeriesT, width: int, end: int) -> None:
        """Add a total, stored as `ExponentialHistogram.cells`, that ends at byte ``end``."""
        self._totals.append((series, TotalLocation(end - 8 * width, Struct(f"<{width}d"))))

    def read(self, data: bytes) -> Iterator[tuple[_SeriesT, Callable[[], ExponentialHistogram]]]:
        """Yield each series with a function that reads its histogram from the bytes of the file."""
        for series, total in self._totals:
            yield series, partial(_read_total, data, total)
        for series, location in self._cells:
            if location.end <= len(data):  # else another thread has added it since the bytes were copied
                yield series, partial(_read_cells, data, location)

    def is_torn(self, data: bytes) -> bool:
        """Whether the copy of a histogram mixes two generations (see `exponential_cells`): copy it again."""
        return any(is_torn(data, location.begin) for _, location in self._cells if location.end <= len(data))


def _read_total(data: bytes, total: TotalLocation) -> ExponentialHistogram:
    return ExponentialHistogram.from_cells(total.cells.unpack_from(data, total.begin))


def _read_cells(data: bytes, location: CellsLocation) -> ExponentialHistogram:
    if is_torn(data, location.begin):  # after many attempts: the file is damaged
        return ExponentialHistogram()
    histogram = read_histogram(_CELLS.unpack_from(data, location.begin))
    return histogram._replace(sum=_double(data, location.sum_offset))


def _double(data: bytes, offset: int) -> float:
    value: float = _DOUBLE.unpack_from(data, offset)[0]
    return value
