"""Where the buckets of exponential histograms begin and end: at ``2 ** (index / 2 ** scale)``.

Most of these numbers are irrational. A double is not above one of them just if it is not above the largest
double that is not: that one is given here, reckoned in whole numbers of 128 bits. So a plain comparison puts
every double into the right bucket, where a logarithm would err beside a boundary.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

MAX_SCALE = 20
"""The highest scale (OpenTelemetry's default *MaxScale*): buckets 0.66 millionths wide."""

_KEPT = 8
"""The highest scale whose boundaries are kept once reckoned, 8 KB of them."""

_BITS = 128
_ONE = 1 << _BITS


def _roots() -> Iterator[int]:
    root = 2 * _ONE
    while True:
        yield root
        root = math.isqrt(root << _BITS)


_ROOTS = tuple(islice(_roots(), MAX_SCALE + 1))
"""``2 ** (1 / 2 ** scale)`` by scale, as all here in units of ``2 ** -_BITS`` and rounded down."""


def bucket_boundaries(scale: int, first: int, amount: int) -> tuple[float, ...]:
    """The boundaries of index ``first`` and on, each rounded down to a double; infinity past the last one."""
    if scale <= 0:
        return tuple(_rounded_down(_ONE, index << -scale) for index in range(first, first + amount))
    if scale <= _KEPT and first >> scale >= -1022 and (first + amount) >> scale < 1024:
        octave, mask = _octave(scale), (1 << scale) - 1
        return tuple([math.ldexp(octave[at & mask], at >> scale) for at in range(first, first + amount)])
    return tuple(islice(_between_powers(scale, first), amount))


@functools.lru_cache(_KEPT)
def _octave(scale: int) -> tuple[float, ...]:
    """The boundaries from 1 to 2: those of the other octaves differ in the exponent alone."""
    return tuple(islice(_between_powers(scale, 0), 1 << scale))


def bucket_index(value: float) -> int:
    """The bucket of a number above 0 at the finest scale; ``index >> n`` is the one at n scales less."""
    mantissa, exponent = math.frexp(value)
    within = math.ceil(math.log2(2 * mantissa) * (1 << MAX_SCALE))
    guess = ((exponent - 1) << MAX_SCALE) + within - 1  # it may be wrong by one
    return guess - 2 + bisect_left(bucket_boundaries(MAX_SCALE, guess - 1, 4), value)


def _between_powers(scale: int, first: int) -> Iterator[float]:
    steps, ratio = 1 << scale, _ROOTS[scale]
    octave, step = divmod(first, steps)
    power = _power(step, scale)
    while True:
        yield _rounded_down(power, octave)
        step, power = step + 1, power * ratio >> _BITS
        if step == steps:
            octave, step, power = octave + 1, 0, _ONE


def _power(step: int, scale: int) -> int:
    """``2 ** (step / 2 ** scale)`` for a step within an octave: a root for each of its binary digits."""
    power = _ONE
    for digit in range(1, scale + 1):
        if step >> (scale - digit) & 1:
            power = power * _ROOTS[digit] >> _BITS
    return power


def _rounded_down(power: int, octave: int) -> float:
    if octave > 1023:
        return math.inf
    exponent = max(octave, -1022)  # below that one doubles have fewer digits
    return math.ldexp(power >> (_BITS - 52 + exponent - octave), exponent - 52)
