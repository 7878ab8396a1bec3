"""The series of a family, each set of labels once."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.snapshot import Attributes


class Line:
    """The prepared text of a series.

    ``template`` is what stands before the value; a histogram's is for ``%``. ``latest`` is what was last
    shown: the cells and their text, in one object so that threads see both or neither.
    """

    __slots__ = ("attributes", "labels", "latest", "template")

    def __init__(self, attributes: Attributes, labels: str, template: str) -> None:
        self.attributes = attributes
        self.labels = labels
        self.template = template
        self.latest: tuple[Sequence[float], str] = ((), "")


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
