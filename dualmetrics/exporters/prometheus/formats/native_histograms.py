"""Converts exponential histograms to Prometheus' native histograms.

A native histogram has spans of adjacent buckets, and the difference of each count from the one before.
Prometheus numbers a bucket by its upper boundary and OpenTelemetry by its lower one, so Prometheus' index is
higher by one. Prometheus calls the scale schema and allows -4 to 8. Our own histograms are never below -4,
where all doubles fit. A histogram of another library may be, and then it has no native histogram.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import sub
from typing import NamedTuple

from dualmetrics.model.exponential_histogram import ExponentialHistogram

MAX_SCHEMA, MIN_SCHEMA = 8, -4
_MAX_GAP = 2
"""The number of empty buckets that take less space than another span."""


class BucketSpan(NamedTuple):
    """Adjacent buckets. ``offset`` is the gap to the previous span; the first span's is its first index."""

    offset: int
    length: int


class NativeHistogram(NamedTuple):
    """A native histogram without negative values.

    ``zeros`` counts the values that were exactly 0, because the zero threshold is 0. ``deltas`` has the first
    count, then the difference of each count from the previous one. There is always a span, of no buckets if
    need be: without one, it would be parsed as a histogram with classic buckets only.
    """

    schema: int
    zeros: int
    total: int
    sum: float
    spans: tuple[BucketSpan, ...]
    deltas: tuple[int, ...]


def to_native(histogram: ExponentialHistogram) -> NativeHistogram:
    """The native histogram of the same values. The scale must be at least `MIN_SCHEMA`."""
    histogram = histogram.downscaled_to(MAX_SCHEMA)
    spans: list[BucketSpan] = []
    counts: list[int] = []
    end = 0
    for first, run in _runs(histogram):
        spans.append(BucketSpan(first - end, len(run)))
        counts += run
        end = first + len(run)
    return NativeHistogram(
        histogram.scale,
        int(histogram.zero_count),
        int(histogram.total_count),
        histogram.sum,
        tuple(spans) or (BucketSpan(0, 0),),
        _differences(counts),
    )


def _runs(histogram: ExponentialHistogram) -> Iterator[tuple[int, list[int]]]:
    """The counts split at long gaps: the index of the first bucket of each run, and the run's counts."""
    first, run, empty = 0, list[int](), 0
    for index, count in enumerate(map(int, histogram.counts), histogram.offset + 1):
        if not count:
            empty += 1
            continue
        if empty > _MAX_GAP and run:
            yield first, run
            run = []
        first, run = (first, [*run, *[0] * empty, count]) if run else (index, [count])
        empty = 0
    if run:
        yield first, run


def _differences(counts: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(sub, counts, (0, *counts)))
