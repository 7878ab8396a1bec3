"""Exponential histograms as Prometheus' native ones: spans of buckets, and how much each count differs.

Prometheus numbers a bucket by its upper boundary, OpenTelemetry by its lower one, so that its index is one
more. The scale is called schema, and is 8 at most. Ours is never below -4, where all doubles fit; that of
another library may be, and then it can be no native histogram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import sub
from typing import NamedTuple

from dualmetrics.model.exponential_histogram import ExponentialHistogram

HIGHEST, LOWEST = 8, -4
_GAP = 2  # empty buckets that cost less than a span of their own


class Span(NamedTuple):
    """Buckets side by side. ``offset`` counts from the end of the span before, of the first one from 0."""

    offset: int
    length: int


class Native(NamedTuple):
    """The fields of a native histogram, all positive; ``zeros`` were exactly 0: the threshold is 0 too.

    There is always a span, if need be of no bucket: without any it would be taken for one with classic
    buckets alone. ``deltas`` are the first count, and of each bucket what it has more than the one before.
    """

    schema: int
    zeros: int
    total: int
    sum: float
    spans: tuple[Span, ...]
    deltas: tuple[int, ...]


def native(found: ExponentialHistogram) -> Native:
    """The native histogram of the same values."""
    found = found.downscaled_to(HIGHEST)
    spans: list[Span] = []
    counts: list[int] = []
    end = 0
    for first, run in _runs(found):
        spans.append(Span(first - end, len(run)))
        counts += run
        end = first + len(run)
    shown = tuple(spans) or (Span(0, 0),)
    return Native(
        found.scale, int(found.zero_count), int(found.total_count), found.sum, shown, _differences(counts)
    )


def _runs(found: ExponentialHistogram) -> Iterator[tuple[int, list[int]]]:
    """The counts between longer gaps, each run with the index of its first bucket."""
    first, run, empty = 0, list[int](), 0
    for index, count in enumerate(map(int, found.counts), found.offset + 1):
        if not count:
            empty += 1
            continue
        if empty > _GAP and run:
            yield first, run
            run = []
        first, run = (first, [*run, *[0] * empty, count]) if run else (index, [count])
        empty = 0
    if run:
        yield first, run


def _differences(counts: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(sub, counts, (0, *counts)))
