"""Totals of what is told as what came since the last time."""

from __future__ import annotations

from collections.abc import Iterator
from operator import add

from dualmetrics.model.attributes import attributes_key
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars, Family, Point


class DeltaAccumulator:
    """Adds up families of sums and histograms, series by series."""

    def __init__(self) -> None:
        self._found: dict[Descriptor, dict[object, Point]] = {}

    def add(self, family: Family) -> None:
        """There came this."""
        totals = self._found.setdefault(family.descriptor, {})
        for point in family.points:
            key = attributes_key(point.attributes)
            have = totals.get(key)
            totals[key] = point if have is None else _together(have, point)

    def families(self) -> Iterator[Family]:
        """All that has come; a series that has not changed is the same object as before."""
        for descriptor, totals in self._found.items():
            yield Family(descriptor, tuple(totals.values()))


def _together(have: Point, more: Point) -> Point:
    exponential = have.exponential and more.exponential and have.exponential.plus(more.exponential)
    return have._replace(
        cells=tuple(map(add, have.cells, more.cells)),
        exemplars=_latest(have.exemplars, more.exemplars),
        exponential=exponential,
    )


def _latest(have: Exemplars, more: Exemplars) -> Exemplars:
    if not (have and more):
        return have or more
    return tuple(new or old for old, new in zip(have, more, strict=True))
