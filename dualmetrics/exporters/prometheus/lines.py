"""Writes families line by line, for the formats that are lines of text.

What never changes of a series (name, labels, bounds) is prepared once and kept from page to page, its text
for as long as its point is the same object. A page costs one ``%`` for each series that has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

from dualmetrics.exporters.prometheus import summaries
from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.labels import Labels, label_text
from dualmetrics.exporters.prometheus.numbers import number
from dualmetrics.exporters.prometheus.rows import Line, distinct
from dualmetrics.snapshot import Attributes, Descriptor, Point

CHUNK = 64
"""Series, or headers, in a chunk. Joining holds the interpreter for one chunk at a time."""

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

    def summary_template(self, name: str, labels: str, quantiles: Sequence[float]) -> str:
        """What of a summary's series never changes."""


class Shown(NamedTuple):
    """A family as it stands on a page: its points, their lines and texts.

    ``lengths`` says how many points each member has. There is a text for each point, unless points of equal
    labels were ``merged``.
    """

    lengths: list[int]
    points: list[Point]
    lines: list[Line]
    texts: list[bytes]
    merged: bool

    def changed(self, lengths: list[int], points: list[Point]) -> list[int] | None:
        """Where other points are than on the page before; None unless these are of the same series."""
        if self.merged or lengths != self.lengths:
            return None
        before = self.points
        found = [at for at, (new, old) in enumerate(zip(points, before, strict=True)) if new is not old]
        same = all(points[at].attributes is before[at].attributes for at in found)
        return found if same else None


_NOTHING = Shown([], [], [], [], merged=False)


class LineWriter:
    """Writes pages of one format. Only what the latest page used is kept.

    Pages may be written by several threads at once; at worst they prepare the same line twice.
    """

    def __init__(self, dialect: Dialect, report: Report) -> None:
        self._dialect = dialect
        self._report = report
        self._shown: dict[tuple[int, ...], Shown] = {}

    def write(self, families: Iterable[PageFamily], labels: Labels) -> Iterator[bytes]:
        """The page in chunks."""
        used: dict[tuple[int, ...], Shown] = {}
        yield from _chunks(self._page(families, labels, used))
        self._shown = used

    def _page(
        self, families: Iterable[PageFamily], labels: Labels, used: dict[tuple[int, ...], Shown]
    ) -> Iterator[list[bytes]]:
        for family in families:
            yield [self._dialect.header(family).encode()]
            # By identity, which the lines keep: hashing a descriptor takes a while.
            key = tuple(id(member.descriptor) for member in family.members)
            used[key] = self._show(family, labels, self._shown.get(key, _NOTHING))
            yield used[key].texts
        yield [self._dialect.end.encode()]

    def _show(self, family: PageFamily, labels: Labels, before: Shown) -> Shown:
        lengths = [len(member.points) for member in family.members]
        points = [*chain.from_iterable(member.points for member in family.members)]
        changed = before.changed(lengths, points)
        if changed is None:
            return self._show_anew(family, lengths, points, self._lines(family, labels, before), before)
        texts, lines, fill = [*before.texts], before.lines, self._fill(family)
        for at in changed:
            texts[at] = fill(lines[at].template, points[at].cells).encode()
        return before._replace(points=points, texts=texts)

    def _show_anew(
        self, family: PageFamily, lengths: list[int], points: list[Point], lines: list[Line], before: Shown
    ) -> Shown:
        rows = [(line, point.cells) for line, point in zip(lines, points, strict=True)]
        apart, fill = distinct(family, rows, self._report), self._fill(family)
        if apart is not rows:
            texts = [fill(line.template, cells).encode() for line, cells in apart]
            return Shown(lengths, points, lines, texts, merged=True)
        kept = {} if before.merged else dict(zip(map(id, before.points), before.texts, strict=True))
        texts = [
            kept.get(id(point)) or fill(line.template, point.cells).encode()
            for line, point in zip(lines, points, strict=True)
        ]
        return Shown(lengths, points, lines, texts, merged=False)

    def _lines(self, family: PageFamily, labels: Labels, before: Shown) -> list[Line]:
        """The line of each point: by identity, since equal attributes may have different labels (1, True)."""
        known = {(id(line.descriptor), id(line.attributes)): line for line in before.lines}
        return [
            known.get((id(member.descriptor), id(point.attributes)))
            or self._line(family, member.descriptor, point.attributes, labels)
            for member in family.members
            for point in member.points
        ]

    def _fill(self, family: PageFamily) -> Fill:
        return {"histogram": self._dialect.histogram, "summary": summaries.filled}.get(family.type, _sample)

    def _line(
        self, family: PageFamily, descriptor: Descriptor, attributes: Attributes, labels: Labels
    ) -> Line:
        text = label_text(labels(descriptor, attributes))
        if family.type == "histogram":
            template = self._dialect.histogram_template(family.name, text, descriptor.bounds)
        elif family.type == "summary":
            template = self._dialect.summary_template(family.name, text, descriptor.bounds)
        else:
            template = f"{family.name}{{{text}}} " if text else f"{family.name} "
        return Line(descriptor, attributes, text, template)


def _sample(template: str, cells: Sequence[float]) -> str:
    return f"{template}{number(cells[0])}\n"


def _chunks(parts: Iterable[list[bytes]]) -> Iterator[bytes]:
    held: list[bytes] = []
    for part in parts:
        held += part
        if len(held) >= CHUNK:
            yield from (b"".join(held[at : at + CHUNK]) for at in range(0, len(held), CHUNK))
            held = []
    yield b"".join(held)
