"""A summary's series as one template that one ``%`` fills; the same in all formats of lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dualmetrics.exporters.prometheus.formats.line_templates import literal, sum_lines
from dualmetrics.exporters.prometheus.naming.numbers import number
from dualmetrics.exporters.prometheus.naming.quoting import opened
from dualmetrics.model.snapshot import Point


def template(name: str, labels: str, quantiles: Iterable[float], bound: Callable[[float], str]) -> str:
    """What of a series never changes. ``labels`` is the text between the braces."""
    before = literal(f"{opened(name, labels)}quantile=")
    lines = "".join(f'{before}"{bound(quantile)}"}} %s\n' for quantile in quantiles)
    return lines + sum_lines(name, labels)


def filled(lines: str, point: Point) -> bytes:
    """The lines of one series; see `dualmetrics.model.descriptor.Kind` for the cells."""
    count, total, *quantiles = point.cells[:-1]
    return (lines % (*map(number, quantiles), number(total), count)).encode()
