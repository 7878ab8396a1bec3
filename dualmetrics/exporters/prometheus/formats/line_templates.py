"""Templates for the lines of a series, which one ``%`` fills with the values of a point."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from dualmetrics.exporters.prometheus.naming.escaping import open_labels, sample_prefix
from dualmetrics.exporters.prometheus.naming.values import sample_value
from dualmetrics.model.snapshot import Point

NO_SUM = "%.0s%.0s"
"""Replaces `sum_lines` where sum and count must be omitted: takes both values and prints nothing."""


def bucket_lines(name: str, labels: str, bounds: Sequence[float], bound_text: Callable[[float], str]) -> str:
    """The template of the bucket lines. ``labels`` is the text between the braces."""
    before = _escape_percent(f"{open_labels(f'{name}_bucket', labels)}le=")
    return before + before.join(_line_ends(tuple(bounds), bound_text))


@functools.lru_cache(256)
def _line_ends(bounds: tuple[float, ...], bound_text: Callable[[float], str]) -> tuple[str, ...]:
    # Adding zero removes the sign of a negative zero: the cache must return the same text for equal bounds.
    texts = [bound_text(bound + 0.0) for bound in bounds]
    return tuple(f'"{text}"}} %d\n' for text in (*texts, "+Inf"))


def sum_lines(name: str, labels: str) -> str:
    """The template of the lines for sum and count."""
    sum_prefix = _escape_percent(sample_prefix(f"{name}_sum", labels))
    count_prefix = _escape_percent(sample_prefix(f"{name}_count", labels))
    return f"{sum_prefix} %s\n{count_prefix} %d\n"


def fill_histogram(template: str, cells: Sequence[float]) -> str:
    """The lines of a histogram. For the cells see `dualmetrics.model.descriptor.Kind`."""
    counts = [*accumulate(cells[:-1])]
    return template % (*counts, sample_value(cells[-1]), counts[-1])


def summary_template(
    name: str, labels: str, quantiles: Iterable[float], quantile_text: Callable[[float], str]
) -> str:
    """The template of a summary. ``labels`` is the text between the braces."""
    before = _escape_percent(f"{open_labels(name, labels)}quantile=")
    lines = "".join(f'{before}"{quantile_text(quantile)}"}} %s\n' for quantile in quantiles)
    return lines + sum_lines(name, labels)


def fill_summary(template: str, point: Point) -> bytes:
    """The lines of a summary. For the cells see `dualmetrics.model.descriptor.Kind`."""
    count, total, *quantiles = point.cells[:-1]
    return (template % (*map(sample_value, quantiles), sample_value(total), count)).encode()


def _escape_percent(text: str) -> str:
    return text.replace("%", "%%")
