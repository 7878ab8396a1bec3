"""The boundaries of the buckets of exponential histograms: ``2 ** (index / 2 ** scale)``.

Most of these numbers are irrational. This module gives the largest double that is not above the boundary,
computed with integers of 128 bits. A double is above the boundary exactly if it is above that double, so a
plain comparison puts every double into the right bucket. A logarithm would be wrong close to a boundary.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

MAX_SCALE = 20
"""The highest scale (OpenTelemetry's default *MaxScale*). Its buckets are 0.66 millionths wide."""

_MAX_CACHED_SCALE = 8
"""The highest scale whose boundaries are cached. They take 8 KB."""

_BITS = 128
_ONE = 1 << _BITS
"""The number 1 in the fixed-point numbers of this module, whose unit is ``2 ** -_BITS``."""


def _repeated_square_roots() -> Iterator[int]:
    root = 2 * _ONE
    while True:
        yield root
        root = math.isqrt(root << _BITS)


_ROOTS = tuple(islice(_repeated_square_roots(), MAX_SCALE + 1))
"""``2 ** (1 / 2 ** scale)`` by scale, in fixed point and rounded down."""


def bucket_boundaries(scale: int, first: int, count: int) -> tuple[float, ...]:
    """Return ``count`` boundaries from index ``first`` on, each rounded down to a double.

    Boundaries above the largest double are infinity.
    """
    indexes = range(first, first + count)
    if scale <= 0:
        return tuple(_rounded_down(_ONE, index << -scale) for index in indexes)
    if scale <= _MAX_CACHED_SCALE and first >> scale >= -1022 and (first + count) >> scale < 1024:
        octave, mask = _octave(scale), (1 << scale) - 1
        return tuple([math.ldexp(octave[index & mask], index >> scale) for index in indexes])
    return tuple(islice(_computed_boundaries(scale, first), count))


@functools.lru_cache(_MAX_CACHED_SCALE)
def _octave(scale: int) -> tuple[float, ...]:
    """The boundaries from 1 to 2. Those of the other octaves differ only in the exponent."""
    return tuple(islice(_computed_boundaries(scale, 0), 1 << scale))


def bucket_index(value: float) -> int:
    """Return the bucket of a number above 0 at the finest scale.

    ``index >> n`` is its bucket at a scale that is lower by ``n``.
    """
    mantissa, exponent = math.frexp(value)
    step = math.ceil(math.log2(2 * mantissa) * (1 << MAX_SCALE))
    guess = ((exponent - 1) << MAX_SCALE) + step - 1  # it may be wrong by one
    return guess - 2 + bisect_left(bucket_boundaries(MAX_SCALE, guess - 1, 4), value)


def _computed_boundaries(scale: int, first: int) -> Iterator[float]:
    steps, ratio = 1 << scale, _ROOTS[scale]
    octave, step = divmod(first, steps)
    power = _power(step, scale)
    while True:
        yield _rounded_down(power, octave)
        step, power = step + 1, power * ratio >> _BITS
        if step == steps:
            octave, step, power = octave + 1, 0, _ONE


def _power(step: int, scale: int) -> int:
    """Compute ``2 ** (step / 2 ** scale)`` for a step within an octave.

    It is the product of one root for each binary digit of the step that is 1.
    """
    power = _ONE
    for digit in range(1, scale + 1):
        if step >> (scale - digit) & 1:
            power = power * _ROOTS[digit] >> _BITS
    return power


def _rounded_down(power: int, octave: int) -> float:
    if octave > 1023:
        return math.inf
    exponent = max(octave, -1022)  # below this exponent, doubles have fewer digits
    return math.ldexp(power >> (_BITS - 52 + exponent - octave), exponent - 52)
