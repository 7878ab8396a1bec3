"""Every double is in the bucket that exact arithmetic gives."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dualmetrics.model.exponential_buckets import MAX_SCALE, bucket_boundaries, bucket_index

COARSEST = -10
EXACT = Context(prec=60, Emax=10**6, Emin=-(10**6))

positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
scales = st.integers(COARSEST, MAX_SCALE)
octaves = st.integers(-1074, 1023)


def power(numerator: int, scale: int) -> Fraction:
    """``2 ** (numerator / 2 ** scale)``, exact or, if irrational, with 60 digits. No double is that close."""
    exponent = Fraction(numerator) / Fraction(2) ** scale
    if exponent.denominator == 1:
        return Fraction(2) ** int(exponent)
    with localcontext(EXACT):
        return Fraction(Decimal(2) ** (Decimal(exponent.numerator) / exponent.denominator))


def lies_in(value: float, bucket: int, scale: int) -> bool:
    return power(bucket, scale) < Fraction(value) <= power(bucket + 1, scale)


def lies_in_without_rounding(value: float, bucket: int, scale: int) -> bool:
    """The same comparison with both sides raised to the power of ``2 ** scale``, so nothing is rounded."""
    raised = Fraction(value) ** (1 << scale)
    return Fraction(2) ** bucket < raised <= Fraction(2) ** (bucket + 1)


@given(positive, scales)
@example(5e-324, MAX_SCALE)
@example(sys.float_info.min, MAX_SCALE)
@example(math.nextafter(sys.float_info.min, 0), MAX_SCALE)
@example(sys.float_info.max, COARSEST)
@example(1.0, MAX_SCALE)
def test_a_value_is_in_the_bucket_of_its_index(value: float, scale: int) -> None:
    assert lies_in(value, bucket_index(value) >> (MAX_SCALE - scale), scale)


@given(positive, st.integers(0, 6))
def test_a_value_is_in_the_bucket_of_its_index_without_rounding(value: float, scale: int) -> None:
    assert lies_in_without_rounding(value, bucket_index(value) >> (MAX_SCALE - scale), scale)


@given(octaves, st.sampled_from([-1, 0, 1]), scales)
def test_powers_of_two_and_their_neighbors_are_in_the_bucket_of_their_index(
    octave: int, offset: int, scale: int
) -> None:
    value = math.ldexp(1.0, octave)
    value = math.nextafter(value, math.inf if offset > 0 else 0) if offset else value
    if 0 < value < math.inf:
        assert lies_in(value, bucket_index(value) >> (MAX_SCALE - scale), scale)


@given(octaves, st.integers(0, (1 << MAX_SCALE) - 1), scales)
def test_a_boundary_is_rounded_down_to_the_next_double(octave: int, step: int, scale: int) -> None:
    index = ((octave << MAX_SCALE) + step) >> (MAX_SCALE - scale)
    [boundary] = bucket_boundaries(scale, index, 1)
    assert boundary == math.inf or Fraction(boundary) <= power(index, scale)
    above = math.nextafter(boundary, math.inf)
    assert above == math.inf or power(index, scale) < Fraction(above)


@given(octaves, st.integers(0, (1 << MAX_SCALE) - 1))
def test_the_two_buckets_at_a_boundary_meet_there(octave: int, step: int) -> None:
    index = (octave << MAX_SCALE) + step
    [boundary] = bucket_boundaries(MAX_SCALE, index, 1)
    if boundary > sys.float_info.min:
        assert bucket_index(boundary) == index - 1
        assert bucket_index(math.nextafter(boundary, math.inf)) == index


@given(positive, scales)
def test_a_search_in_the_boundaries_finds_the_same_bucket_as_the_index(value: float, scale: int) -> None:
    first = (bucket_index(value) >> (MAX_SCALE - scale)) - 80
    assert bisect_left(bucket_boundaries(scale, first, 161), value) == 81


def test_boundaries_reach_from_zero_to_infinity() -> None:
    boundaries = bucket_boundaries(0, -1080, 2110)
    assert boundaries[0] == 0.0
    assert boundaries[-1] == math.inf
    assert list(boundaries) == sorted(boundaries)


@pytest.mark.parametrize("scale", range(-4, MAX_SCALE + 1))
def test_many_boundaries_equal_the_single_ones(scale: int) -> None:
    boundaries = bucket_boundaries(scale, -90, 180)
    assert boundaries == tuple(bucket_boundaries(scale, index, 1)[0] for index in range(-90, 90))
