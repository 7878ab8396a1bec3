"""The series that the sources show, each with its tracker and its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic

from dualmetrics.bridges.bound_series import BoundSeries, TrackerT
from dualmetrics.model.attributes import attributes_key
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Family, Point


class SeriesTable(Generic[TrackerT]):
    """All series of one sort, and which source shows which of them.

    ``on_duplicate`` gets the name of a metric of which two sources show the same series.
    """

    def __init__(self, tracker: type[TrackerT], on_duplicate: Callable[[str], object]) -> None:
        self._tracker: type[TrackerT] = tracker
        self._on_duplicate = on_duplicate
        self._series: dict[Descriptor, dict[object, BoundSeries[TrackerT]]] = {}
        self._shown: dict[object, set[BoundSeries[TrackerT]]] = {}

    def all(self) -> Iterator[BoundSeries[TrackerT]]:
        """All series. Others may be added meanwhile."""
        for siblings in list(self._series.values()):
            for first in list(siblings.values()):
                yield from first.chain()

    def clear_rows(self) -> None:
        """Forget the rows, which are no longer valid, but not how the series were when last read."""
        for series in self.all():
            series.row = None

    def match(
        self, source: object, family: Family, matched: set[BoundSeries[TrackerT]]
    ) -> Iterator[tuple[BoundSeries[TrackerT], Point]]:
        """Pair each point that ``source`` shows with its series, and add these series to ``matched``.

        A series that another source shows, or that is in ``matched`` already, is bound once more: if the two
        shared one tracker, it would take each change from one total to the other for a restart.
        """
        descriptor = family.descriptor
        siblings = self._series.setdefault(descriptor, {})
        self._shown.setdefault(source, set())
        for point in family.points:
            # Label values of a registry are all strings. Elsewhere 1 and True are two values.
            key: object = point.attributes if descriptor.prometheus_type else attributes_key(point.attributes)
            series = siblings.get(key) or self._add(siblings, key)
            while series in matched or self._is_shown_by_another(series, source):
                self._on_duplicate(descriptor.name)
                series = series.following()
            series.source = source
            matched.add(series)
            yield series, point

    def replace_shown(self, source: object, shown: set[BoundSeries[TrackerT]]) -> set[BoundSeries[TrackerT]]:
        """Record what ``source`` shows now. Return the series that it does not show any more."""
        removed = self._shown.get(source, set()) - shown
        self._shown[source] = shown
        return removed

    def remove_source(self, source: object) -> set[BoundSeries[TrackerT]]:
        """Return what ``source`` showed. Whoever shows these series next goes on with them."""
        return self._shown.pop(source, set())

    def forget(self, removed: Iterable[BoundSeries[TrackerT]]) -> None:
        """Drop these series, unless other sources show them too."""
        for series in removed:
            if series.next is None and series.siblings.get(series.key) is series:
                del series.siblings[series.key]

    def _add(self, siblings: dict[object, BoundSeries[TrackerT]], key: object) -> BoundSeries[TrackerT]:
        series = siblings[key] = BoundSeries(siblings, key, self._tracker())
        return series

    def _is_shown_by_another(self, series: BoundSeries[TrackerT], source: object) -> bool:
        return series.source is not source and series.source in self._shown
