"""Reading the exponential histograms of one file, and adding up those of many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from struct import Struct
from typing import NamedTuple

from dualmetrics.aggregation.merging import RowSource, Series
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.storage.exponential_cells import EXPONENTIAL_WIDTH, is_torn, read_histogram

_BANKS, _DOUBLE = Struct(f"<{EXPONENTIAL_WIDTH}d"), Struct("<d")


class CellsLocation(NamedTuple):
    """Where in the file's bytes the banks of a series lie, and the sum of its values."""

    series: Series
    begin: int
    end: int
    sum_at: int


class TotalLocation(NamedTuple):
    """Where a total of an archive lies, and what reads its cells."""

    series: Series
    begin: int
    cells: Struct


class ExponentialReader:
    """The exponential histograms of a file: those being recorded, and totals of an archive."""

    def __init__(self) -> None:
        self._places: list[CellsLocation] = []
        self._totals: list[TotalLocation] = []

    def add_cells(self, series: Series, row_end: int, end: int) -> None:
        """There is a row of `banks` that ends at this byte; that of its series ends at byte ``row_end``."""
        self._places.append(CellsLocation(series, end - _BANKS.size, end, row_end - _DOUBLE.size))

    def add_total(self, series: Series, width: int, end: int) -> None:
        """There is a total, as `Exponential.cells` gives it, that ends at this byte."""
        self._totals.append(TotalLocation(series, end - 8 * width, Struct(f"<{width}d")))

    def read(self, data: bytes) -> Iterator[tuple[Series, Callable[[], ExponentialHistogram]]]:
        """The series with what reads from the file's bytes what they have counted."""
        for total in self._totals:
            yield total.series, partial(_read_total, data, total)
        for place in self._places:
            if place.end <= len(data):  # and not added by another thread since the bytes were copied
                yield place.series, partial(_read_banks, data, place)

    def is_torn(self, data: bytes) -> bool:
        """Whether some histogram was rewritten twice while these bytes were copied: copy them again."""
        return any(
            is_torn(_double(data, place.begin), _double(data, place.end - _DOUBLE.size))
            for place in self._places
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


class ExponentialTotals:
    """The histograms of all sources added up, those of the dead as well: each when it is asked for."""

    def __init__(self, sources: Iterable[RowSource]) -> None:
        self._sources = sources

    @functools.cached_property
    def _parts(self) -> dict[Series, list[Callable[[], ExponentialHistogram]]]:
        """Sought when the first is asked for: mostly none is."""
        found: dict[Series, list[Callable[[], ExponentialHistogram]]] = {}
        for source in self._sources:
            for series, part in source.exponentials:
                found.setdefault(series, []).append(part)
        return found

    def of(self, series: Series) -> ExponentialHistogram:
        """What a series has counted; an empty histogram if it is not recorded so."""
        parts = (part() for part in self._parts.get(series, ()))
        return reduce(ExponentialHistogram.plus, parts, ExponentialHistogram())
