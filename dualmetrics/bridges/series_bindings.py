"""Foreign series: how each was when it was last read, the row that it goes into, and who shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dualmetrics.model.attributes import attributes_key
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Exemplars, Family, Point
from dualmetrics.storage.exponential_cells import ExponentialCells
from dualmetrics.storage.regions import Row

EMPTY = ExponentialHistogram()


class BoundSeries:
    """A series as one source shows it: how it was when last read, and the row where that was written, if any.

    ``whole`` says that the row holds just what the series is: then it is copied, which rounds nothing.
    ``next`` is the series of the same name and attributes that somebody else shows: both go into one row.
    """

    __slots__ = (
        "banks",
        "exemplars",
        "exponential",
        "home",
        "key",
        "last",
        "next",
        "row",
        "source",
        "stamp",
        "start",
        "timed",
        "whole",
    )

    def __init__(self, home: dict[object, BoundSeries], key: object, timed: bool) -> None:
        self.home, self.key, self.timed = home, key, timed
        self.source: object = None
        self.next: BoundSeries | None = None
        self.last: tuple[float, ...] = ()
        self.exemplars: Exemplars = ()
        self.exponential = EMPTY
        self.banks: ExponentialCells | None = None
        self.row: Row | None = None
        self.stamp = 0.0
        self.start = 0
        self.whole = False

    def chain(self) -> Iterator[BoundSeries]:
        """It, and those after it."""
        bound: BoundSeries | None = self
        while bound is not None:
            yield bound
            bound = bound.next

    def another(self) -> BoundSeries:
        """The one after it."""
        if self.next is None:
            self.next = BoundSeries(self.home, self.key, self.timed)
        return self.next


class SeriesBindings:
    """All series that sources show. ``twice`` is told of a metric with a series that two of them show."""

    def __init__(self, twice: Callable[[str], object]) -> None:
        self._twice = twice
        self._series: dict[Descriptor, dict[object, BoundSeries]] = {}
        self._shown: dict[object, set[BoundSeries]] = {}

    def all(self) -> Iterator[BoundSeries]:
        """Each of them; others may come meanwhile."""
        for home in list(self._series.values()):
            for first in list(home.values()):
                yield from first.chain()

    def find(
        self, source: object, family: Family, met: set[BoundSeries]
    ) -> Iterator[tuple[BoundSeries, Point]]:
        """Each point of a family that ``source`` shows, with what is bound for it, which is in ``met`` then.

        A series that somebody else shows, or that was met already, is bound once more: if the two had one
        memory of how it was, each would take the other's value for a total that began anew.
        """
        descriptor = family.descriptor
        home, timed = self._series.setdefault(descriptor, {}), not adds(descriptor)
        self._shown.setdefault(source, set())
        for point in family.points:
            # The labels of a registry are all texts; elsewhere 1 and True are two things.
            key: object = point.attributes if descriptor.prometheus_type else attributes_key(point.attributes)
            bound = home.get(key) or home.setdefault(key, BoundSeries(home, key, timed))
            while bound in met or self._is_anothers(bound, source):
                self._twice(descriptor.name)
                bound = bound.another()
            bound.source = source
            met.add(bound)
            yield bound, point

    def _is_anothers(self, bound: BoundSeries, source: object) -> bool:
        return bound.source is not source and bound.source in self._shown

    def show(self, source: object, shown: set[BoundSeries]) -> set[BoundSeries]:
        """``source`` shows these now. Gives those that it shows no more."""
        gone = self._shown.get(source, set()) - shown
        self._shown[source] = shown
        return gone

    def end(self, source: object) -> set[BoundSeries]:
        """``source`` is gone: whoever shows its series next goes on with them. Gives those that it showed."""
        return self._shown.pop(source, set())

    def drop(self, gone: Iterable[BoundSeries]) -> None:
        """Remember these no longer, unless others show the same series."""
        for bound in gone:
            if bound.next is None and bound.home.get(bound.key) is bound:
                del bound.home[bound.key]


def adds(descriptor: Descriptor) -> bool:
    """Whether its values add up over workers; others are overwritten, and carry the time of that."""
    return descriptor.kind is not Kind.GAUGE and not descriptor.once_per_group
