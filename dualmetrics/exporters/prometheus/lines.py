"""Writes families line by line, for the formats that are lines of text.

What never changes of a series (name, labels, bounds) is prepared once and kept from page to page, its text
for as long as the cells are the same. A page costs one ``%`` for each series that has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.labels import Labels, label_text
from dualmetrics.exporters.prometheus.numbers import number
from dualmetrics.exporters.prometheus.rows import Line, Row, distinct
from dualmetrics.snapshot import Attributes, Descriptor, Family

CHUNK = 64 * 1024
"""Characters at which a chunk ends. Joining and encoding hold the interpreter for one chunk at a time."""

Fill = Callable[[str, Sequence[float]], str]


class Dialect(Protocol):
    """What tells one line format from another."""

    @property
    def end(self) -> str:
        """What the page ends with."""

    def header(self, family: PageFamily) -> str:
        """The metadata lines."""

    def histogram_template(self, name: str, labels: str, bounds: Sequence[float]) -> str:
        """What of a histogram's series never changes. ``labels`` is the text between the braces."""

    def histogram(self, template: str, cells: Sequence[float]) -> str:
        """The lines of a histogram's series."""


class Known(NamedTuple):
    """The prepared lines of a metric, by the identity of the attributes.

    Equal attributes may have different labels (``1 == True``), and identity costs no hashing of the contents.
    An id is not used again while the line, or for the descriptor's id this tuple, holds the object.
    """

    descriptor: Descriptor
    lines: dict[int, Line]


class LineWriter:
    """Writes pages of one format. Only what the latest page used is kept.

    Pages may be written by several threads at once; at worst they prepare the same line twice.
    """

    def __init__(self, dialect: Dialect, report: Report) -> None:
        self._dialect = dialect
        self._report = report
        self._known: dict[int, Known] = {}

    def write(self, families: Iterable[PageFamily], labels: Labels) -> Iterator[bytes]:
        """The page in chunks."""
        used: dict[int, Known] = {}
        yield from _chunks(self._page(families, labels, used))
        self._known = used

    def _page(self, families: Iterable[PageFamily], labels: Labels, used: dict[int, Known]) -> Iterator[str]:
        for family in families:
            rows = [row for member in family.members for row in self._rows(family, member, labels, used)]
            yield self._dialect.header(family)
            fill = self._dialect.histogram if family.type == "histogram" else _sample
            yield from _filled(distinct(family, rows, self._report), fill)
        yield self._dialect.end

    def _rows(
        self, family: PageFamily, member: Family, labels: Labels, used: dict[int, Known]
    ) -> Iterator[Row]:
        descriptor = member.descriptor
        known = self._known.get(id(descriptor))
        before = known.lines if known else {}
        lines: dict[int, Line] = {}
        used[id(descriptor)] = Known(descriptor, lines)
        for attributes, _, cells in member.points:
            line = before.get(id(attributes))
            if line is None:
                line = self._line(family, descriptor, attributes, labels)
            lines[id(attributes)] = line
            yield line, cells

    def _line(
        self, family: PageFamily, descriptor: Descriptor, attributes: Attributes, labels: Labels
    ) -> Line:
        text = label_text(labels(descriptor, attributes))
        if family.type == "histogram":
            template = self._dialect.histogram_template(family.name, text, descriptor.bounds)
        else:
            template = f"{family.name}{{{text}}} " if text else f"{family.name} "
        return Line(attributes, text, template)


def _filled(rows: list[Row], fill: Fill) -> Iterator[str]:
    for line, cells in rows:
        shown, text = line.latest
        if shown != cells:
            text = fill(line.template, cells)
            line.latest = cells, text
        yield text


def _sample(template: str, cells: Sequence[float]) -> str:
    return f"{template}{number(cells[0])}\n"


def _chunks(texts: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= CHUNK:
            yield "".join(held).encode()
            held.clear()
            size = 0
    if size:
        yield "".join(held).encode()
