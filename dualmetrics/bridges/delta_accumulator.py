"""Adds up deltas to totals."""

from __future__ import annotations

from collections.abc import Iterator
from operator import add

from dualmetrics.model.attributes import attributes_key
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplars, Family, Point


class DeltaAccumulator:
    """The totals of sums and histograms of which a library gives only what came since the last read."""

    def __init__(self) -> None:
        self._totals: dict[Descriptor, dict[object, Point]] = {}

    def add(self, family: Family) -> None:
        """Add the deltas of one metric to its totals."""
        totals = self._totals.setdefault(family.descriptor, {})
        for point in family.points:
            key = attributes_key(point.attributes)
            total = totals.get(key)
            totals[key] = point if total is None else _add(total, point)

    def families(self) -> Iterator[Family]:
        """All totals. The point of a series that has not changed is the same object as before."""
        for descriptor, totals in self._totals.items():
            yield Family(descriptor, tuple(totals.values()))


def _add(total: Point, delta: Point) -> Point:
    return total._replace(
        cells=tuple(map(add, total.cells, delta.cells)),
        exemplars=_latest(total.exemplars, delta.exemplars),
        exponential=total.exponential and delta.exponential and total.exponential.plus(delta.exponential),
    )


def _latest(old: Exemplars, new: Exemplars) -> Exemplars:
    """The latest exemplar of each bucket."""
    if not (old and new):
        return old or new
    return tuple(later or earlier for earlier, later in zip(old, new, strict=True))
