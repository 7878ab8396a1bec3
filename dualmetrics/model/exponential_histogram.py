"""Exponential histograms: each bucket is wider than the one before by the same factor.

This module has the histogram and its exact arithmetic: add, subtract, and reduce to a lower scale. No count
is ever split, because two neighboring buckets together are one bucket of the next lower scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, sub
from typing import NamedTuple

from dualmetrics.model.exponential_buckets import MAX_SCALE

MAX_BUCKETS = 160
"""The most buckets that a histogram has (OpenTelemetry's default *MaxSize*). All doubles fit at scale -4."""

MIN_CELLS = 4
"""The length of `ExponentialHistogram.cells` for a histogram without buckets."""


class ExponentialHistogram(NamedTuple):
    """The number of values in each bucket, and the sum of the values.

    ``counts[n]`` values are greater than ``2 ** (i / 2 ** scale)`` and less than or equal to
    ``2 ** ((i + 1) / 2 ** scale)``, where ``i`` is ``offset + n`` (OpenTelemetry's data model).
    ``zero_count`` values are 0. No value is negative. Neither the first nor the last count is 0.
    """

    scale: int = MAX_SCALE
    offset: int = 0
    counts: tuple[float, ...] = ()
    zero_count: float = 0.0
    sum: float = 0.0

    @classmethod
    def from_cells(cls, cells: Sequence[float]) -> ExponentialHistogram:
        """Return the histogram whose `cells` these are."""
        scale, offset, zero_count, total, *counts = cells
        return cls(int(scale), int(offset), tuple(counts), zero_count, total)

    @property
    def cells(self) -> list[float]:
        """The whole histogram as doubles, as it is stored in files."""
        return [self.scale, self.offset, self.zero_count, self.sum, *self.counts]

    @property
    def total_count(self) -> float:
        """The number of values."""
        return self.zero_count + sum(self.counts)

    def downscaled_to(self, scale: int) -> ExponentialHistogram:
        """Return the histogram at this scale, or at its own scale if that is lower."""
        current, offset, counts = self.scale, self.offset, self.counts
        while current > scale:
            current, offset, counts = current - 1, offset >> 1, _merge_neighbors(offset, counts)
        return self._replace(scale=current, offset=offset, counts=counts)

    def plus(self, other: ExponentialHistogram) -> ExponentialHistogram:
        """Return the sum of both, at the highest scale at which it fits into `MAX_BUCKETS` buckets."""
        one, two = _aligned(self, other)
        first, end = _index_range(one, two)
        counts = map(add, one._padded_counts(first, end), two._padded_counts(first, end))
        return ExponentialHistogram(
            one.scale, first, tuple(counts), self.zero_count + other.zero_count, self.sum + other.sum
        )

    def minus(self, earlier: ExponentialHistogram) -> ExponentialHistogram | None:
        """Return what was recorded since ``earlier``.

        Returns None if a count has decreased: ``earlier`` is then not an earlier state of this histogram.
        """
        one, two = _aligned(self, earlier)
        first, end = _index_range(one, two)
        counts = (*map(sub, one._padded_counts(first, end), two._padded_counts(first, end)),)
        zero_count = self.zero_count - earlier.zero_count
        if zero_count < 0 or min(counts, default=0) < 0:
            return None
        return trimmed(one.scale, first, counts)._replace(
            zero_count=zero_count, sum=max(self.sum - earlier.sum, 0.0)
        )

    def _padded_counts(self, first: int, end: int) -> tuple[float, ...]:
        """The counts of the buckets ``first`` to ``end``, a range that includes all buckets of this one."""
        before = self.offset - first if self.counts else 0
        return (0.0,) * before + self.counts + (0.0,) * (end - first - before - len(self.counts))


def trimmed(scale: int, first: int, counts: Sequence[float]) -> ExponentialHistogram:
    """Return the histogram with these counts, without the empty buckets at both ends.

    ``first`` is the index of the first bucket.
    """
    filled = [position for position, count in enumerate(counts) if count]
    if not filled:
        return ExponentialHistogram(scale)
    return ExponentialHistogram(scale, first + filled[0], tuple(counts[filled[0] : filled[-1] + 1]))


def _aligned(
    one: ExponentialHistogram, two: ExponentialHistogram
) -> tuple[ExponentialHistogram, ExponentialHistogram]:
    """Return both at the highest scale at which their buckets together fit into `MAX_BUCKETS`."""
    scale = min(one.scale, two.scale)
    one, two = one.downscaled_to(scale), two.downscaled_to(scale)
    first, end = _index_range(one, two)
    while end - first > MAX_BUCKETS:
        scale, first, end = scale - 1, first >> 1, (end + 1) >> 1
    return one.downscaled_to(scale), two.downscaled_to(scale)


def _index_range(*histograms: ExponentialHistogram) -> tuple[int, int]:
    """The index of the first bucket of all histograms, and the index after the last one."""
    filled = [histogram for histogram in histograms if histogram.counts]
    first = min((histogram.offset for histogram in filled), default=0)
    return first, max((histogram.offset + len(histogram.counts) for histogram in filled), default=0)


def _merge_neighbors(offset: int, counts: tuple[float, ...]) -> tuple[float, ...]:
    """The counts at the next lower scale, where each even index and the next one are one bucket."""
    even = (0.0,) * (offset % 2) + counts
    even += (0.0,) * (len(even) % 2)
    return tuple(map(add, even[::2], even[1::2]))
