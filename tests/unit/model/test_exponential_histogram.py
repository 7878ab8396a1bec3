"""The arithmetic of exponential histograms is exact and independent of the order."""

from __future__ import annotations

from collections import Counter
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.model.exponential_buckets import MAX_SCALE, bucket_index
from dualmetrics.model.exponential_histogram import MAX_BUCKETS, ExponentialHistogram

values = st.floats(min_value=0, allow_infinity=False)
near = st.floats(min_value=0.5, max_value=3.0)
several = st.lists(values, max_size=12) | st.lists(near, max_size=40)


def single(value: float) -> ExponentialHistogram:
    """A histogram of one value. Its sum is 0: floats depend on the order, so other tests check sums."""
    return (
        ExponentialHistogram(MAX_SCALE, bucket_index(value), (1.0,))
        if value
        else ExponentialHistogram(zero_count=1.0)
    )


def histogram(recorded: list[float]) -> ExponentialHistogram:
    return reduce(ExponentialHistogram.plus, map(single, recorded), ExponentialHistogram())


def buckets(histogram: ExponentialHistogram) -> dict[int, float]:
    return {histogram.offset + position: count for position, count in enumerate(histogram.counts) if count}


@given(several, several)
def test_adding_is_commutative(one: list[float], two: list[float]) -> None:
    assert histogram(one).plus(histogram(two)) == histogram(two).plus(histogram(one))


@given(several, several, several)
def test_adding_is_associative(one: list[float], two: list[float], three: list[float]) -> None:
    a, b, c = map(histogram, (one, two, three))
    assert a.plus(b).plus(c) == a.plus(b.plus(c)) == histogram([*one, *two, *three])


@given(several)
def test_each_value_is_counted_in_its_bucket(recorded: list[float]) -> None:
    result = histogram(recorded)
    shift = MAX_SCALE - result.scale
    assert buckets(result) == Counter(bucket_index(value) >> shift for value in recorded if value)
    assert result.zero_count == recorded.count(0)
    assert result.total_count == len(recorded)


@given(several)
def test_the_scale_is_the_highest_with_enough_buckets(recorded: list[float]) -> None:
    result = histogram(recorded)
    indexes = [bucket_index(value) for value in recorded if value]
    assert len(result.counts) <= MAX_BUCKETS
    if result.scale < MAX_SCALE:
        shift = MAX_SCALE - result.scale - 1
        assert (max(indexes) >> shift) - (min(indexes) >> shift) >= MAX_BUCKETS


@given(several, st.integers(-10, MAX_SCALE))
def test_downscaling_equals_recording_at_the_lower_scale(recorded: list[float], scale: int) -> None:
    result = histogram(recorded).downscaled_to(scale)
    shift = MAX_SCALE - result.scale
    assert result.scale <= scale
    assert buckets(result) == Counter(bucket_index(value) >> shift for value in recorded if value)


@given(several, several)
def test_subtracting_gives_what_was_recorded_since(before: list[float], since: list[float]) -> None:
    now = histogram(before).plus(histogram(since))
    difference = now.minus(histogram(before))
    assert difference is not None
    assert difference.scale == now.scale
    assert buckets(difference) == buckets(histogram(since).downscaled_to(now.scale))
    assert difference.zero_count == since.count(0)


@given(several, near)
def test_nothing_is_subtracted_if_a_count_has_decreased(before: list[float], more: float) -> None:
    assert histogram(before).minus(histogram([*before, more])) is None
    assert histogram(before).minus(histogram([*before, 0.0])) is None


def test_sums_are_added_and_subtracted() -> None:
    one, two = single(2.0)._replace(sum=2.0), single(3.0)._replace(sum=3.0)
    assert one.plus(two).sum == 5.0
    difference = one.plus(two).minus(one)
    assert difference is not None
    assert difference.sum == 3.0


@given(several)
def test_a_histogram_survives_its_cells(recorded: list[float]) -> None:
    result = histogram(recorded)
    assert ExponentialHistogram.from_cells(result.cells) == result
