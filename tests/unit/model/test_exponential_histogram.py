"""The arithmetic of exponential histograms: exact, and the same in any order."""

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
    """A histogram of one value; its sum is left to other tests, since floats do not add in any order."""
    return (
        ExponentialHistogram(MAX_SCALE, bucket_index(value), (1.0,))
        if value
        else ExponentialHistogram(zero_count=1.0)
    )


def histogram(recorded: list[float]) -> ExponentialHistogram:
    return reduce(ExponentialHistogram.plus, map(single, recorded), ExponentialHistogram())


def buckets(found: ExponentialHistogram) -> dict[int, float]:
    return {found.offset + at: count for at, count in enumerate(found.counts) if count}


@given(several, several)
def test_adding_is_commutative(one: list[float], two: list[float]) -> None:
    assert histogram(one).plus(histogram(two)) == histogram(two).plus(histogram(one))


@given(several, several, several)
def test_adding_is_associative(one: list[float], two: list[float], three: list[float]) -> None:
    a, b, c = map(histogram, (one, two, three))
    assert a.plus(b).plus(c) == a.plus(b.plus(c)) == histogram([*one, *two, *three])


@given(several)
def test_each_value_is_counted_in_its_bucket(recorded: list[float]) -> None:
    found = histogram(recorded)
    shift = MAX_SCALE - found.scale
    assert buckets(found) == Counter(bucket_index(value) >> shift for value in recorded if value)
    assert found.zero_count == recorded.count(0)
    assert found.total_count == len(recorded)


@given(several)
def test_the_scale_is_the_highest_at_which_the_buckets_suffice(recorded: list[float]) -> None:
    found = histogram(recorded)
    indexes = [bucket_index(value) for value in recorded if value]
    assert len(found.counts) <= MAX_BUCKETS
    if found.scale < MAX_SCALE:
        above = MAX_SCALE - found.scale - 1
        assert (max(indexes) >> above) - (min(indexes) >> above) >= MAX_BUCKETS


@given(several, st.integers(-10, MAX_SCALE))
def test_making_it_coarser_equals_recording_at_the_lower_scale(recorded: list[float], scale: int) -> None:
    found = histogram(recorded).downscaled_to(scale)
    shift = MAX_SCALE - found.scale
    assert found.scale <= scale
    assert buckets(found) == Counter(bucket_index(value) >> shift for value in recorded if value)


@given(several, several)
def test_subtracting_gives_what_came_since(before: list[float], since: list[float]) -> None:
    now = histogram(before).plus(histogram(since))
    found = now.minus(histogram(before))
    assert found is not None
    assert found.scale == now.scale
    assert buckets(found) == buckets(histogram(since).downscaled_to(now.scale))
    assert found.zero_count == since.count(0)


@given(several, near)
def test_what_has_fallen_was_no_later_state(before: list[float], more: float) -> None:
    assert histogram(before).minus(histogram([*before, more])) is None
    assert histogram(before).minus(histogram([*before, 0.0])) is None


def test_a_sum_is_added_and_subtracted() -> None:
    one, two = single(2.0)._replace(sum=2.0), single(3.0)._replace(sum=3.0)
    assert one.plus(two).sum == 5.0
    since = one.plus(two).minus(one)
    assert since is not None
    assert since.sum == 3.0


@given(several)
def test_the_cells_are_the_histogram(recorded: list[float]) -> None:
    found = histogram(recorded)
    assert ExponentialHistogram.from_cells(found.cells) == found
