"""A histogram's series as one template that one ``%`` fills."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import accumulate

from dualmetrics.exporters.prometheus.naming.numbers import number
from dualmetrics.exporters.prometheus.naming.quoting import opened, series

NO_SUM = "%.0s%.0s"
"""Stands for the lines of sum and count where these must not be: takes their values, prints nothing."""


def bucket_lines(name: str, labels: str, bounds: Sequence[float], bound_text: Callable[[float], str]) -> str:
    """The template of the bucket lines. ``labels`` is the text between the braces."""
    before = literal(f"{opened(f'{name}_bucket', labels)}le=")
    return before + before.join(_line_ends(tuple(bounds), bound_text))


@functools.lru_cache(256)
def _line_ends(bounds: tuple[float, ...], bound_text: Callable[[float], str]) -> tuple[str, ...]:
    # Zero is added, since bounds are remembered and equal ones must read alike: there is a negative zero.
    texts = [bound_text(bound + 0.0) for bound in bounds]
    return tuple(f'"{text}"}} %d\n' for text in (*texts, "+Inf"))


def sum_lines(name: str, labels: str) -> str:
    """The template of the lines of sum and count."""
    total, count = literal(series(f"{name}_sum", labels)), literal(series(f"{name}_count", labels))
    return f"{total} %s\n{count} %d\n"


def filled(template: str, cells: Sequence[float]) -> str:
    """The lines of one series; see `dualmetrics.model.descriptor.Kind` for the cells."""
    counts = [*accumulate(cells[:-1])]
    return template % (*counts, number(cells[-1]), counts[-1])


def literal(text: str) -> str:
    """Text that ``%`` leaves as it is."""
    return text.replace("%", "%%")
