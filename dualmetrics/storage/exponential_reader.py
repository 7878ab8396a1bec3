"""Reading the exponential histograms of one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct
from typing import Generic, NamedTuple, TypeVar

from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH, is_torn, read_histogram

SeriesT = TypeVar("SeriesT")

_BANKS, _DOUBLE = Struct(f"<{EXPONENTIAL_WIDTH}d"), Struct("<d")


class CellsLocation(NamedTuple):
    """Where in the file's bytes the banks of a series lie, and the sum of its values."""

    begin: int
    end: int
    sum_at: int


class TotalLocation(NamedTuple):
    """Where a total of an archive lies, and what reads its cells."""

    begin: int
    cells: Struct


class ExponentialReader(Generic[SeriesT]):
    """The exponential histograms of a file: those being recorded, and totals of an archive."""

    def __init__(self) -> None:
        self._places: list[tuple[SeriesT, CellsLocation]] = []
        self._totals: list[tuple[SeriesT, TotalLocation]] = []

    def add_cells(self, series: SeriesT, row_end: int, end: int) -> None:
        """There is a row of `banks` that ends at this byte; that of its series ends at byte ``row_end``."""
        self._places.append((series, CellsLocation(end - _BANKS.size, end, row_end - _DOUBLE.size)))

    def add_total(self, series: SeriesT, width: int, end: int) -> None:
        """There is a total, as `Exponential.cells` gives it, that ends at this byte."""
        self._totals.append((series, TotalLocation(end - 8 * width, Struct(f"<{width}d"))))

    def read(self, data: bytes) -> Iterator[tuple[SeriesT, Callable[[], ExponentialHistogram]]]:
        """The series with what reads from the file's bytes what they have counted."""
        for series, total in self._totals:
            yield series, partial(_read_total, data, total)
        for series, place in self._places:
            if place.end <= len(data):  # and not added by another thread since the bytes were copied
                yield series, partial(_read_banks, data, place)

    def is_torn(self, data: bytes) -> bool:
        """Whether some histogram was rewritten twice while these bytes were copied: copy them again."""
        return any(
            is_torn(_double(data, place.begin), _double(data, place.end - _DOUBLE.size))
            for _, place in self._places
            if place.end <= len(data)
        )


def _read_total(data: bytes, total: TotalLocation) -> ExponentialHistogram:
    return ExponentialHistogram.from_cells(total.cells.unpack_from(data, total.begin))


def _read_banks(data: bytes, place: CellsLocation) -> ExponentialHistogram:
    found = read_histogram(_BANKS.unpack_from(data, place.begin))
    return found._replace(sum=_double(data, place.sum_at))


def _double(data: bytes, at: int) -> float:
    found: float = _DOUBLE.unpack_from(data, at)[0]
    return found
