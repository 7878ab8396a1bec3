"""One series of another library: who shows it, how it was when it was last read, and its row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from dualmetrics.bridges.counter_tracker import CounterTracker
from dualmetrics.bridges.gauge_tracker import GaugeTracker
from dualmetrics.storage.exponential_cells import ExponentialCells
from dualmetrics.storage.regions import Row

TrackerT = TypeVar("TrackerT", CounterTracker, GaugeTracker)


class BoundRow:
    """The row that one series is written to.

    ``is_copy``: the row holds exactly what the series was when it was last read. Such a row is overwritten,
    which is exact; to another one the increase is added, which may round.
    """

    __slots__ = ("cells", "exponential_cells", "is_copy")

    def __init__(self, cells: Row, exponential_cells: ExponentialCells | None = None) -> None:
        self.cells = cells
        self.exponential_cells = exponential_cells
        self.is_copy = False


class BoundSeries(Generic[TrackerT]):
    """A series as one source shows it.

    ``next`` is the same series as another source shows it: both are written to the same row.
    """

    __slots__ = ("key", "next", "row", "siblings", "source", "tracker")

    def __init__(self, siblings: dict[object, BoundSeries[TrackerT]], key: object, tracker: TrackerT) -> None:
        """``siblings`` are the series of the same metric, this one among them, by ``key``."""
        self.siblings: dict[object, BoundSeries[TrackerT]] = siblings
        self.key = key
        self.tracker: TrackerT = tracker
        self.source: object = None
        self.next: BoundSeries[TrackerT] | None = None
        self.row: BoundRow | None = None
        """None while the series has no row in the file of this worker."""

    def chain(self) -> Iterator[BoundSeries[TrackerT]]:
        """This series and those after it."""
        series: BoundSeries[TrackerT] | None = self
        while series is not None:
            yield series
            series = series.next

    def following(self) -> BoundSeries[TrackerT]:
        """The one after it, which is created if there is none."""
        if self.next is None:
            self.next = BoundSeries(self.siblings, self.key, type(self.tracker)())
        return self.next
