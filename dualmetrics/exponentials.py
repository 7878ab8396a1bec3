"""Reading the exponential histograms of one file, and adding up those of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from dualmetrics.banks import WIDTH, histogram, torn
from dualmetrics.exponential import Exponential
from dualmetrics.merge import Series, Source

_BANKS, _DOUBLE = Struct(f"<{WIDTH}d"), Struct("<d")


class Place(NamedTuple):
    """Where in the file's bytes the banks of a series lie, and the sum of its values."""

    series: Series
    begin: int
    end: int
    sum_at: int


class Total(NamedTuple):
    """Where a total of an archive lies, and what reads its cells."""

    series: Series
    begin: int
    cells: Struct


class Exponentials:
    """The exponential histograms of a file: those being recorded, and totals of an archive."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._totals: list[Total] = []

    def add_banks(self, series: Series, row_end: int, end: int) -> None:
        """There is a row of `banks` that ends at this byte; that of its series ends at byte ``row_end``."""
        self._places.append(Place(series, end - _BANKS.size, end, row_end - _DOUBLE.size))

    def add_total(self, series: Series, width: int, end: int) -> None:
        """There is a total, as `Exponential.cells` gives it, that ends at this byte."""
        self._totals.append(Total(series, end - 8 * width, Struct(f"<{width}d")))

    def read(self, data: bytes) -> Iterator[tuple[Series, Exponential]]:
        """The series with what they have counted, from the file's bytes."""
        for series, begin, cells in self._totals:
            yield series, Exponential.of(cells.unpack_from(data, begin))
        for series, begin, end, sum_at in self._places:
            if end <= len(data):  # and not added by another thread since the bytes were copied
                yield series, histogram(_BANKS.unpack_from(data, begin))._replace(sum=_double(data, sum_at))

    def torn(self, data: bytes) -> bool:
        """Whether some histogram was rewritten twice while these bytes were copied: copy them again."""
        return any(
            torn(_double(data, place.begin), _double(data, place.end - _DOUBLE.size))
            for place in self._places
            if place.end <= len(data)
        )


def _double(data: bytes, at: int) -> float:
    found: float = _DOUBLE.unpack_from(data, at)[0]
    return found


def merge_exponentials(sources: Iterable[Source]) -> dict[Series, Exponential]:
    """The histograms of all sources together; those of the dead stay."""
    totals: dict[Series, Exponential] = {}
    for source in sources:
        for series, found in source.exponentials:
            have = totals.get(series)
            totals[series] = found if have is None else have.plus(found)
    return totals
