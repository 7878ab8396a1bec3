"""Every double lies in the bucket that exact arithmetic says."""

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
    """2 ** (numerator / 2 ** scale), exact or in 60 digits: no double is so close to an irrational one."""
    exponent = Fraction(numerator) / Fraction(2) ** scale
    if exponent.denominator == 1:
        return Fraction(2) ** int(exponent)
    with localcontext(EXACT):
        return Fraction(Decimal(2) ** (Decimal(exponent.numerator) / exponent.denominator))


def lies_in(value: float, bucket: int, scale: int) -> bool:
    return power(bucket, scale) < Fraction(value) <= power(bucket + 1, scale)


def lies_in_by_whole_numbers(value: float, bucket: int, scale: int) -> bool:
    """The same without any rounding: both sides to the power of 2 ** scale."""
    raised = Fraction(value) ** (1 << scale)
    return Fraction(2) ** bucket < raised <= Fraction(2) ** (bucket + 1)


@given(positive, scales)
@example(5e-324, MAX_SCALE)
@example(sys.float_info.min, MAX_SCALE)
@example(math.nextafter(sys.float_info.min, 0), MAX_SCALE)
@example(sys.float_info.max, COARSEST)
@example(1.0, MAX_SCALE)
def test_a_value_lies_in_the_bucket_of_its_index(value: float, scale: int) -> None:
    assert lies_in(value, bucket_index(value) >> (MAX_SCALE - scale), scale)


@given(positive, st.integers(0, 6))
def test_and_so_say_fractions(value: float, scale: int) -> None:
    assert lies_in_by_whole_numbers(value, bucket_index(value) >> (MAX_SCALE - scale), scale)


@given(octaves, st.sampled_from([-1, 0, 1]), scales)
def test_powers_of_two_and_their_neighbours(octave: int, beside: int, scale: int) -> None:
    value = math.ldexp(1.0, octave)
    value = math.nextafter(value, math.inf if beside > 0 else 0) if beside else value
    if 0 < value < math.inf:
        assert lies_in(value, bucket_index(value) >> (MAX_SCALE - scale), scale)


@given(octaves, st.integers(0, (1 << MAX_SCALE) - 1), scales)
def test_a_boundary_is_the_largest_double_that_is_not_above_it(octave: int, step: int, scale: int) -> None:
    at = ((octave << MAX_SCALE) + step) >> (MAX_SCALE - scale)
    [found] = bucket_boundaries(scale, at, 1)
    assert found == math.inf or Fraction(found) <= power(at, scale)
    above = math.nextafter(found, math.inf)
    assert above == math.inf or power(at, scale) < Fraction(above)


@given(octaves, st.integers(0, (1 << MAX_SCALE) - 1))
def test_both_sides_of_a_boundary_get_the_buckets_that_meet_there(octave: int, step: int) -> None:
    at = (octave << MAX_SCALE) + step
    [found] = bucket_boundaries(MAX_SCALE, at, 1)
    if found > sys.float_info.min:
        assert bucket_index(found) == at - 1
        assert bucket_index(math.nextafter(found, math.inf)) == at


@given(positive, scales)
def test_comparing_with_boundaries_says_the_same_as_the_index(value: float, scale: int) -> None:
    first = (bucket_index(value) >> (MAX_SCALE - scale)) - 80
    assert bisect_left(bucket_boundaries(scale, first, 161), value) == 81


def test_boundaries_reach_from_zero_to_infinity() -> None:
    found = bucket_boundaries(0, -1080, 2110)
    assert found[0] == 0.0
    assert found[-1] == math.inf
    assert list(found) == sorted(found)


@pytest.mark.parametrize("scale", range(-4, MAX_SCALE + 1))
def test_a_row_of_boundaries_is_the_same_as_each_alone(scale: int) -> None:
    together = bucket_boundaries(scale, -90, 180)
    assert together == tuple(bucket_boundaries(scale, at, 1)[0] for at in range(-90, 90))
