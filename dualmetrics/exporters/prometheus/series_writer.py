"""Writes families series by series, in lines of text or in messages.

What never changes of a series (name, labels, bounds) is prepared once and kept from page to page, its text
for as long as its point is the same object. A page of text costs one ``%`` for each series that has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.naming.labels import Labels, label_text
from dualmetrics.exporters.prometheus.rows import Fill, SeriesTemplate, distinct
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Point


class Dialect(Protocol):
    """What tells one format from another."""

    @property
    def end(self) -> bytes:
        """What the page ends with."""

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """What stands before the series of a family, given those."""

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """What writes one series, with all prepared that never changes; ``text`` is that of the labels."""


class Shown(NamedTuple):
    """A family as it stands on a page: its points, their lines and texts.

    ``lengths`` says how many points each member has. There is a text for each point, unless points of equal
    labels were ``merged``.
    """

    lengths: list[int]
    points: list[Point]
    lines: list[SeriesTemplate]
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


class SeriesWriter:
    """Writes pages of one format. Only what the latest page used is kept.

    Pages may be written by several threads at once; at worst they prepare the same line twice.
    """

    def __init__(self, dialect: Dialect, report: Report) -> None:
        self._dialect = dialect
        self._report = report
        self._shown: dict[tuple[int, ...], Shown] = {}

    def write(self, families: Iterable[PageFamily], labels: Labels) -> list[bytes]:
        """The page: headers and series."""
        pieces: list[bytes] = []
        used: dict[tuple[int, ...], Shown] = {}
        for family in families:
            # By identity, which the lines keep: hashing a descriptor takes a while.
            key = tuple(id(member.descriptor) for member in family.members)
            used[key] = self._show(family, labels, self._shown.get(key, _NOTHING))
            texts = used[key].texts
            pieces.append(self._dialect.header(family, texts))
            pieces += texts
        self._shown = used
        return [*pieces, self._dialect.end]

    def _show(self, family: PageFamily, labels: Labels, before: Shown) -> Shown:
        lengths = [len(member.points) for member in family.members]
        points = [*chain.from_iterable(member.points for member in family.members)]
        changed = before.changed(lengths, points)
        if changed is None:
            return self._show_anew(family, lengths, points, self._lines(family, labels, before), before)
        texts, lines = [*before.texts], before.lines
        for at in changed:
            texts[at] = lines[at].fill(points[at])
        return before._replace(points=points, texts=texts)

    def _show_anew(
        self,
        family: PageFamily,
        lengths: list[int],
        points: list[Point],
        lines: list[SeriesTemplate],
        before: Shown,
    ) -> Shown:
        rows = [*zip(lines, points, strict=True)]
        apart = distinct(family, rows, self._report)
        if apart is not rows:
            texts = [line.fill(point) for line, point in apart]
            return Shown(lengths, points, lines, texts, merged=True)
        kept = {} if before.merged else dict(zip(map(id, before.points), before.texts, strict=True))
        texts = [kept.get(id(point)) or line.fill(point) for line, point in rows]
        return Shown(lengths, points, lines, texts, merged=False)

    def _lines(self, family: PageFamily, labels: Labels, before: Shown) -> list[SeriesTemplate]:
        """The line of each point: by identity, since equal attributes may have different labels (1, True)."""
        known = {(id(line.descriptor), id(line.attributes)): line for line in before.lines}
        return [
            known.get((id(member.descriptor), id(point.attributes)))
            or self._line(family, member.descriptor, point.attributes, labels)
            for member in family.members
            for point in member.points
        ]

    def _line(
        self, family: PageFamily, descriptor: Descriptor, attributes: Attributes, labels: Labels
    ) -> SeriesTemplate:
        found = labels(descriptor, attributes)
        text = label_text(found)
        return SeriesTemplate(
            descriptor, attributes, text, self._dialect.fill(family, descriptor, found, text)
        )
