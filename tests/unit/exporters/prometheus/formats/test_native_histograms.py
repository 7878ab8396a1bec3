"""Native histograms are equivalent to the exponential histograms that they are made from."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.exporters.prometheus.formats.native_histograms import (
    MAX_SCHEMA,
    BucketSpan,
    NativeHistogram,
    to_native,
)
from dualmetrics.model.exponential_buckets import bucket_boundaries
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from tests.unit.model.test_exponential_histogram import histogram, several


def buckets(native: NativeHistogram) -> dict[int, int]:
    """The counts by Prometheus' bucket index, decoded from spans and deltas as Prometheus does."""
    counts = iter([*accumulate(native.deltas)])
    counts_by_index: dict[int, int] = {}
    position = 0
    for span in native.spans:
        position += span.offset
        for _ in range(span.length):
            counts_by_index[position] = next(counts)
            position += 1
    assert not [*counts]
    return {index: count for index, count in counts_by_index.items() if count}


def index(value: float, schema: int) -> int:
    """The first bucket with an upper boundary, 2 ** (index / 2 ** schema), of at least ``value``."""
    about = math.ceil(math.log2(value) * 2.0**schema) - 2
    return about + bisect_left(bucket_boundaries(schema, about, 5), value)


@given(several)
def test_every_value_is_in_the_bucket_where_prometheus_expects_it(values: list[float]) -> None:
    native = to_native(histogram(values))
    expected: dict[int, int] = {}
    for value in filter(None, values):
        bucket = index(value, native.schema)
        expected[bucket] = expected.get(bucket, 0) + 1
    assert buckets(native) == expected
    assert (native.zeros, native.total) == (values.count(0), len(values))


@given(several)
def test_the_schema_is_one_that_prometheus_accepts(values: list[float]) -> None:
    assert -4 <= to_native(histogram(values)).schema <= MAX_SCHEMA


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_spans_begin_and_end_with_counts_and_have_long_gaps_between_them(counts: list[int]) -> None:
    native = to_native(ExponentialHistogram(3, 5, (1.0, *map(float, counts), 1.0)))
    assert sum(span.length for span in native.spans) == len(native.deltas)
    assert all(span.offset > 2 for span in native.spans[1:])
    assert native.spans[0].offset == 6


def test_an_empty_histogram_is_still_native() -> None:
    assert to_native(ExponentialHistogram()) == NativeHistogram(
        MAX_SCHEMA, 0, 0, 0.0, (BucketSpan(0, 0),), ()
    )


def test_an_example() -> None:
    native = to_native(ExponentialHistogram(0, 1, (2.0, 1.0, 0.0, 0.0, 0.0, 4.0), zero_count=3.0, sum=99.0))
    assert native == NativeHistogram(0, 3, 10, 99.0, (BucketSpan(2, 2), BucketSpan(3, 1)), (2, -1, 3))


@pytest.mark.parametrize("scale", [9, 20])
def test_a_scale_above_the_highest_schema_is_reduced(scale: int) -> None:
    native = to_native(ExponentialHistogram(scale, 0, (1.0,) * 100))
    assert native.schema == MAX_SCHEMA
    assert sum(buckets(native).values()) == 100
