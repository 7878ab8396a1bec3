"""Reading the exponential histograms of one file, and adding up those of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dualmetrics.banks import histogram, torn
from dualmetrics.exponential import Exponential
from dualmetrics.merge import Series, Source
from dualmetrics.rows import doubles_of


class Place(NamedTuple):
    """Where the banks of a series lie, and behind which double the sum of its values."""

    series: Series
    begin: int
    end: int
    sum_at: int


class Exponentials:
    """The exponential histograms of a file: those being recorded, and totals of an archive."""

    def __init__(self) -> None:
        self._banks: list[Place] = []
        self._totals: list[Place] = []

    def add_banks(self, place: Place) -> None:
        """There is a row of `banks`."""
        self._banks.append(place)

    def add_total(self, place: Place) -> None:
        """There is a total, as `Exponential.cells` gives it."""
        self._totals.append(place)

    def read(self, data: bytes) -> Iterator[tuple[Series, Exponential]]:
        """The series with what they have counted, from the file's bytes."""
        doubles = doubles_of(data)
        for series, begin, end, _ in self._totals:
            yield series, Exponential.of(doubles[begin:end].tolist())
        for series, begin, end, sum_at in self._banks:
            if end <= len(doubles):
                yield series, histogram(doubles[begin:end].tolist())._replace(sum=doubles[sum_at])

    def torn(self, data: bytes) -> bool:
        """Whether some histogram was rewritten twice while these bytes were copied: copy them again."""
        doubles = doubles_of(data)
        return any(torn(doubles[place.begin], doubles[place.end - 1]) for place in self._banks)


def merge_exponentials(sources: Iterable[Source]) -> dict[Series, Exponential]:
    """The histograms of all sources together; those of the dead stay."""
    totals: dict[Series, Exponential] = {}
    for source in sources:
        for series, found in source.exponentials:
            have = totals.get(series)
            totals[series] = found if have is None else have.plus(found)
    return totals
