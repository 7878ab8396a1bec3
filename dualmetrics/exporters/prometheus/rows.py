"""The series of a family, each set of labels once."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add
from typing import NamedTuple

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.snapshot import Attributes, Descriptor


class Line(NamedTuple):
    """What of a series' text never changes: the template stands before the value, or is a histogram's."""

    descriptor: Descriptor
    attributes: Attributes
    labels: str
    template: str


Row = tuple[Line, Sequence[float]]


def distinct(family: PageFamily, rows: list[Row], report: Report) -> list[Row]:
    """The rows, those of equal labels merged: a page with one series twice is not valid.

    It happens where attributes differ and their labels do not: ``200`` and ``"200"``, or two scopes without
    scope labels. Histograms of other bounds cannot be added; the first is kept, the others are reported.
    """
    if len({line.labels for line, _ in rows}) == len(rows):
        return rows
    found: dict[str, Row] = {}
    for line, cells in rows:
        if line.labels not in found:
            found[line.labels] = line, cells
            continue
        known, total = found[line.labels]
        if known.template == line.template:
            found[line.labels] = known, _merged(family, total, cells)
        else:
            report(f"a second {family.name}{{{line.labels}}} with other buckets")
    return list(found.values())


def _merged(family: PageFamily, one: Sequence[float], other: Sequence[float]) -> Sequence[float]:
    if family.type == "gauge" and max(len(one), len(other)) > 1:
        return max(other, one, key=_time)
    return list(map(add, one, other))


def _time(cells: Sequence[float]) -> float:
    """When a gauge was set. An up-down counter says nothing of it, so a gauge of the same name prevails."""
    return cells[1] if len(cells) > 1 else 0.0
