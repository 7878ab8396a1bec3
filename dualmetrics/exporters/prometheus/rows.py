"""The series of a family, each set of labels once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add
from typing import NamedTuple

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Point

Fill = Callable[[Point], bytes]
"""Writes a series: its lines of text, or its message."""


class SeriesTemplate(NamedTuple):
    """What of a series never changes: the text of its labels, and what writes it with a point's values."""

    descriptor: Descriptor
    attributes: Attributes
    labels: str
    fill: Fill


Row = tuple[SeriesTemplate, Point]


def distinct(family: PageFamily, rows: list[Row], report: Report) -> list[Row]:
    """The rows, those of equal labels merged: a page with one series twice is not valid.

    It happens where attributes differ and their labels do not: ``200`` and ``"200"``, or two scopes without
    scope labels. Histograms of other bounds cannot be added; the first is kept, the others are reported.
    """
    if len({line.labels for line, _ in rows}) == len(rows):
        return rows
    found: dict[str, Row] = {}
    for line, point in rows:
        if line.labels not in found:
            found[line.labels] = line, point
            continue
        known, total = found[line.labels]
        if known.descriptor.bounds == line.descriptor.bounds:
            found[line.labels] = known, _merged(family, total, point)
        else:
            report(f"a second {family.name}{{{line.labels}}} with other buckets")
    return list(found.values())


def _merged(family: PageFamily, one: Point, other: Point) -> Point:
    if family.type == "gauge" and max(len(one.cells), len(other.cells)) > 1:
        return max(other, one, key=lambda point: _time(point.cells))
    cells = list(map(add, one.cells, other.cells))
    exponential = one.exponential and other.exponential and one.exponential.plus(other.exponential)
    return one._replace(
        start_time_ns=min(one.start_time_ns, other.start_time_ns), cells=cells, exponential=exponential
    )


def _time(cells: Sequence[float]) -> float:
    """When a gauge was set. An up-down counter says nothing of it, so a gauge of the same name prevails."""
    return cells[1] if len(cells) > 1 else 0.0
