"""Exponential histograms: buckets each of which is wider than the one before by the same factor.

With them goes the arithmetic that their exactness rests on: adding, subtracting and making them coarser. No
count is ever split, since two neighbouring buckets are one bucket of the next lower scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, sub
from typing import NamedTuple

from dualmetrics.model.exponential_buckets import MAX_SCALE

MAX_BUCKETS = 160
"""The most buckets that a histogram has (OpenTelemetry's default *MaxSize*). All doubles fit at scale -4."""


MIN_CELLS = 4
"""The fewest numbers that `Exponential.cells` has."""


class ExponentialHistogram(NamedTuple):
    """How many values lay in which bucket, and their sum. ``zeros`` of them were 0; none was negative.

    ``counts[n]`` values lay above ``2 ** (i / 2 ** scale)`` and not above ``2 ** ((i + 1) / 2 ** scale)``,
    where ``i`` is ``offset + n`` (OpenTelemetry's data model). Neither the first nor the last count is 0.
    """

    scale: int = MAX_SCALE
    offset: int = 0
    counts: tuple[float, ...] = ()
    zero_count: float = 0.0
    sum: float = 0.0

    @classmethod
    def from_cells(cls, cells: Sequence[float]) -> ExponentialHistogram:
        """From `cells`."""
        scale, offset, zeros, total, *counts = cells
        return cls(int(scale), int(offset), tuple(counts), zeros, total)

    @property
    def cells(self) -> list[float]:
        """All of it as doubles."""
        return [self.scale, self.offset, self.zero_count, self.sum, *self.counts]

    @property
    def total_count(self) -> float:
        """How many values there were."""
        return self.zero_count + sum(self.counts)

    def downscaled_to(self, scale: int) -> ExponentialHistogram:
        """The same at this scale, or at its own if that is lower already."""
        found, offset, counts = self.scale, self.offset, self.counts
        while found > scale:
            found, offset, counts = found - 1, offset >> 1, _halved(offset, counts)
        return self._replace(scale=found, offset=offset, counts=counts)

    def plus(self, other: ExponentialHistogram) -> ExponentialHistogram:
        """Both together, at the highest scale at which `SIZE` buckets take them."""
        one, two = _aligned(self, other)
        first, end = _range(one, two)
        counts = map(add, one._within(first, end), two._within(first, end))
        return ExponentialHistogram(
            one.scale, first, tuple(counts), self.zero_count + other.zero_count, self.sum + other.sum
        )

    def minus(self, earlier: ExponentialHistogram) -> ExponentialHistogram | None:
        """What came since; None if a count has fallen, so that ``earlier`` is no earlier state of this."""
        one, two = _aligned(self, earlier)
        first, end = _range(one, two)
        counts = (*map(sub, one._within(first, end), two._within(first, end)),)
        zeros = self.zero_count - earlier.zero_count
        if zeros < 0 or min(counts, default=0) < 0:
            return None
        return trimmed(one.scale, first, counts)._replace(
            zero_count=zeros, sum=max(self.sum - earlier.sum, 0.0)
        )

    def _within(self, first: int, end: int) -> tuple[float, ...]:
        """The counts of these buckets, which are all that there are and maybe more."""
        before = self.offset - first if self.counts else 0
        return (0.0,) * before + self.counts + (0.0,) * (end - first - before - len(self.counts))


def trimmed(scale: int, first: int, counts: Sequence[float]) -> ExponentialHistogram:
    """Of these buckets, those from the first that is not empty to the last."""
    filled = [at for at, count in enumerate(counts) if count]
    if not filled:
        return ExponentialHistogram(scale)
    return ExponentialHistogram(scale, first + filled[0], tuple(counts[filled[0] : filled[-1] + 1]))


def _aligned(
    one: ExponentialHistogram, two: ExponentialHistogram
) -> tuple[ExponentialHistogram, ExponentialHistogram]:
    scale = min(one.scale, two.scale)
    one, two = one.downscaled_to(scale), two.downscaled_to(scale)
    first, end = _range(one, two)
    while end - first > MAX_BUCKETS:
        scale, first, end = scale - 1, first >> 1, (end + 1) >> 1
    return one.downscaled_to(scale), two.downscaled_to(scale)


def _range(*found: ExponentialHistogram) -> tuple[int, int]:
    """From the first bucket to behind the last."""
    filled = [each for each in found if each.counts]
    first = min((each.offset for each in filled), default=0)
    return first, max((each.offset + len(each.counts) for each in filled), default=0)


def _halved(offset: int, counts: tuple[float, ...]) -> tuple[float, ...]:
    """The counts at the next lower scale: those of an even index and of the next one together."""
    even = (0.0,) * (offset % 2) + counts
    even += (0.0,) * (len(even) % 2)
    return tuple(map(add, even[::2], even[1::2]))
