"""Writes the families of a page, series by series.

The constant parts of a series (name, labels, bounds) are prepared once and kept from page to page. Its text
is kept as long as its point is the same object. So a text page costs one ``%`` for each changed series.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import add
from typing import NamedTuple, Protocol

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.naming.labels import LabelBuilder, label_text
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Point

Fill = Callable[[Point], bytes]
"""Writes a series with the values of a point: lines of text, or a message."""


class Dialect(Protocol):
    """How one format writes families and series."""

    @property
    def end(self) -> bytes:
        """The end of a page."""

    def claims(self, family: PageFamily) -> Collection[str]:
        """The names that no other family on the page may use."""

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """The part of a family before its series. The series are given because their size may be needed."""

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Prepare the constant parts of a series. ``text`` is the `label_text` of the labels."""


class SeriesTemplate(NamedTuple):
    """The constant parts of a series: the text of its labels, and the function that writes it."""

    descriptor: Descriptor
    attributes: Attributes
    labels: str
    fill: Fill


class RenderedFamily(NamedTuple):
    """A family on a page.

    ``lengths`` has the number of points of each member. ``points``, ``templates`` and ``texts`` have an item
    for each point, but ``texts`` may be shorter if points with equal labels were ``merged``.
    """

    lengths: list[int]
    points: list[Point]
    templates: list[SeriesTemplate]
    texts: list[bytes]
    merged: bool

    def changed_indices(self, lengths: list[int], points: list[Point]) -> list[int] | None:
        """The indices of the points that have changed; None if ``points`` are not of the same series."""
        if self.merged or lengths != self.lengths:
            return None
        before = self.points
        changed = [i for i, (new, old) in enumerate(zip(points, before, strict=True)) if new is not old]
        is_same_series = all(points[i].attributes is before[i].attributes for i in changed)
        return changed if is_same_series else None


_EMPTY = RenderedFamily([], [], [], [], merged=False)
_TemplatedPoint = tuple[SeriesTemplate, Point]


class SeriesWriter:
    """Writes pages of one format. Keeps only what the latest page used.

    Several threads may write pages at once. At worst they prepare the same series twice.
    """

    def __init__(self, dialect: Dialect, report: Report) -> None:
        self._dialect = dialect
        self._report = report
        self._rendered: dict[tuple[int, ...], RenderedFamily] = {}

    def write(self, families: Iterable[PageFamily], labels: LabelBuilder) -> list[bytes]:
        """The pieces of the page: headers and series."""
        pieces: list[bytes] = []
        rendered: dict[tuple[int, ...], RenderedFamily] = {}
        for family in families:
            # By identity, because hashing descriptors is slow. The templates keep the descriptors alive.
            key = tuple(id(member.descriptor) for member in family.members)
            rendered[key] = self._render(family, labels, self._rendered.get(key, _EMPTY))
            texts = rendered[key].texts
            pieces.append(self._dialect.header(family, texts))
            pieces += texts
        self._rendered = rendered
        return [*pieces, self._dialect.end]

    def _render(self, family: PageFamily, labels: LabelBuilder, before: RenderedFamily) -> RenderedFamily:
        lengths = [len(member.points) for member in family.members]
        points = [*chain.from_iterable(member.points for member in family.members)]
        changed = before.changed_indices(lengths, points)
        if changed is None:
            templates = self._templates(family, labels, before)
            return self._render_anew(family, lengths, points, templates, before)
        texts, templates = [*before.texts], before.templates
        for i in changed:
            texts[i] = templates[i].fill(points[i])
        return before._replace(points=points, texts=texts)

    def _render_anew(
        self,
        family: PageFamily,
        lengths: list[int],
        points: list[Point],
        templates: list[SeriesTemplate],
        before: RenderedFamily,
    ) -> RenderedFamily:
        series = [*zip(templates, points, strict=True)]
        unique = _merge_duplicates(family, series, self._report)
        if unique is not series:
            texts = [template.fill(point) for template, point in unique]
            return RenderedFamily(lengths, points, templates, texts, merged=True)
        kept = {} if before.merged else dict(zip(map(id, before.points), before.texts, strict=True))
        texts = [kept.get(id(point)) or template.fill(point) for template, point in series]
        return RenderedFamily(lengths, points, templates, texts, merged=False)

    def _templates(
        self, family: PageFamily, labels: LabelBuilder, before: RenderedFamily
    ) -> list[SeriesTemplate]:
        """The template of each point. By identity: equal attributes may have different labels (1, True)."""
        existing = {
            (id(template.descriptor), id(template.attributes)): template for template in before.templates
        }
        return [
            existing.get((id(member.descriptor), id(point.attributes)))
            or self._new_template(family, member.descriptor, point.attributes, labels)
            for member in family.members
            for point in member.points
        ]

    def _new_template(
        self, family: PageFamily, descriptor: Descriptor, attributes: Attributes, labels: LabelBuilder
    ) -> SeriesTemplate:
        series_labels = labels(descriptor, attributes)
        text = label_text(series_labels)
        fill = self._dialect.fill(family, descriptor, series_labels, text)
        return SeriesTemplate(descriptor, attributes, text, fill)


def _merge_duplicates(
    family: PageFamily, series: list[_TemplatedPoint], report: Report
) -> list[_TemplatedPoint]:
    """The series, with those of equal labels merged: a page with one series twice is invalid.

    Different attributes may have equal labels: ``200`` and ``"200"``, or two scopes without scope labels.
    Histograms with different bounds cannot be added: the first one is kept, and the others are reported.
    """
    if len({template.labels for template, _ in series}) == len(series):
        return series
    unique: dict[str, _TemplatedPoint] = {}
    for template, point in series:
        if template.labels not in unique:
            unique[template.labels] = template, point
            continue
        first, total = unique[template.labels]
        if first.descriptor.bounds == template.descriptor.bounds:
            unique[template.labels] = first, _merge_points(family, total, point)
        else:
            report(f"a second {family.name}{{{template.labels}}} with other buckets")
    return list(unique.values())


def _merge_points(family: PageFamily, one: Point, other: Point) -> Point:
    if family.type == "gauge" and max(len(one.cells), len(other.cells)) > 1:
        return max(other, one, key=lambda point: _time_set(point.cells))
    cells = list(map(add, one.cells, other.cells))
    exponential = one.exponential and other.exponential and one.exponential.plus(other.exponential)
    start = min(one.start_time_ns, other.start_time_ns)
    return one._replace(start_time_ns=start, cells=cells, exponential=exponential)


def _time_set(cells: Sequence[float]) -> float:
    """When a gauge was set. An up-down counter has no time, so a gauge with the same labels wins."""
    return cells[1] if len(cells) > 1 else 0.0
