"""Reading the rows of one file.

Between two scrapes most series do not change. Where it pays, their rows stay the very same objects, so that
whoever comes later (`merge`, the page) tells by ``is`` what needs no new work. The bytes are compared a block
of series at a time, which costs a fraction of reading them.
"""

from __future__ import annotations

from collections.abc import Iterator

from dualmetrics.cells import Row
from dualmetrics.merge import Cells, Series

_BLOCK = 16
"""Series that are compared at once: fewer cost more comparisons, more are read again for one that changed."""


Place = tuple[Series, int, int]
"""Where the cells of a series lie: their begin and end, counted in doubles from the file's beginning."""


class Rows:
    """The series of a file, in the order in which they were written."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._latest: list[tuple[Series, Cells]] = []
        self._seen = b""

    def add(self, series: Series, end: int, width: int) -> None:
        """There is a series whose cells end at this double. Another thread may be reading."""
        self._places.append((series, end - width, end))

    @property
    def last(self) -> Place:
        """The series that was added last. Raises IndexError if there is none."""
        return self._places[-1]

    def read(self, data: bytes) -> Iterator[tuple[Series, Cells]]:
        """The series with their cells, from the file's bytes; nothing is kept."""
        doubles = doubles_of(data)
        for series, begin, end in self._places:
            yield series, doubles[begin:end].tolist()  # type: ignore[misc]  # typeshed: always int

    def latest(self, data: bytes) -> list[tuple[Series, Cells]]:
        """The same for a file that is read again and again: what has not changed is the object of last time.

        Takes the memory of a copy of the file and its rows. The list is good until the next call.
        """
        if data != self._seen:
            doubles = doubles_of(data)
            self._reach(len(doubles))
            for first in range(0, len(self._latest), _BLOCK):
                self._refresh(first, min(first + _BLOCK, len(self._latest)), data, doubles)
            self._seen = data
        return self._latest

    def _reach(self, doubles: int) -> None:
        """Begin rows for places that this many doubles contain."""
        for series, _, end in self._places[len(self._latest) :]:
            if end > doubles:
                break
            self._latest.append((series, []))

    def _refresh(self, first: int, last: int, data: bytes, doubles: Row) -> None:
        """Read anew what differs of these series."""
        places, seen = self._places, self._seen
        block = slice(8 * places[first][1], 8 * places[last - 1][2])
        if data[block] == seen[block]:
            return
        for at in range(first, last):
            series, begin, end = places[at]
            if data[8 * begin : 8 * end] != seen[8 * begin : 8 * end]:
                self._latest[at] = series, doubles[begin:end].tolist()  # type: ignore[assignment]  # typeshed: always int


def doubles_of(data: bytes) -> Row:
    """A file's bytes, 8 at a time."""
    return memoryview(data)[: len(data) - len(data) % 8].cast("d")
