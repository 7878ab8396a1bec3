"""Series that differ in OTLP and not on the page, such as those of ``a.b="x"`` and ``a_b="x"``."""

from __future__ import annotations

from operator import add

from dualmetrics.exporters.prometheus.series import SeriesText
from dualmetrics.snapshot import Kind, Point

Found = list[tuple[SeriesText, Point]]


def distinct(found: Found, kind: Kind) -> Found:
    """Each set of labels once: sums added up, of gauges the one set last. A page must not repeat a series."""
    if len({text.labels for text, _ in found}) == len(found):
        return found
    merged: dict[str, tuple[SeriesText, Point]] = {}
    for text, point in found:
        first = merged.get(text.labels)
        merged[text.labels] = (text, point) if first is None else (first[0], _merge(first[1], point, kind))
    return list(merged.values())


def _merge(one: Point, other: Point, kind: Kind) -> Point:
    if kind is Kind.GAUGE:
        return max(one, other, key=lambda point: point.cells[1])
    return one._replace(start=min(one.start, other.start), cells=list(map(add, one.cells, other.cells)))
