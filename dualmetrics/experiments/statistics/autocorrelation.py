"""How much more a sum over blocks varies because neighboring blocks are similar."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array

MAX_BLOCKS = 40
MIN_BLOCKS = 10
MAX_AUTOCORRELATION = 0.25
ROUNDING = 1e-24
"""A sum of squares that is not larger than this is a rounding error of equal numbers."""


class Inflation(NamedTuple):
    """How much autocorrelation inflates a variance.

    ``r`` is the autocorrelation, ``k`` the factor of the variance, ``df`` the remaining degrees of freedom.
    """

    blocks: int
    r: float
    k: float
    df: float

    @property
    def enough(self) -> bool:
        """Whether there are enough blocks, and independent enough, for a judgment."""
        return self.blocks >= MIN_BLOCKS and self.r <= MAX_AUTOCORRELATION


def lag1(values: Array) -> float:
    """Return the autocorrelation of neighbors; 0 if the values do not vary."""
    centered = values - values.mean()
    total = float(centered @ centered)
    return float(centered[:-1] @ centered[1:]) / total if total > ROUNDING else 0.0


def fullness(units: Array) -> float:
    """Return how many blocks with equal units would count as much, as a part of all blocks (Kish 1965)."""
    return float(units.sum() ** 2 / (len(units) * np.sum(units**2)))


def inflation(values: Array, full: float = 1.0) -> Inflation:
    """Estimate ``r = clip(r1 + (1 + 3 r1)/B, 0, .9)``, ``k = (1 + r)/(1 - r)`` and ``df = (B - 1)/k``.

    ``r1`` is the observed lag-1 autocorrelation of ``B`` blocks. The term in 1/B removes the bias of an
    estimate from few blocks (Kendall 1954). ``k`` is the factor of a first-order autoregressive process.
    ``full`` is the `fullness` of the blocks: ``B`` is the number that they count for.
    """
    blocks = round(full * len(values))
    if blocks < 2:
        return Inflation(blocks, 0.0, 1.0, float("inf"))
    r1 = lag1(values)
    r = float(np.clip(r1 + (1 + 3 * r1) / blocks, 0.0, 0.9))
    k = (1 + r) / (1 - r)
    return Inflation(blocks, r, k, (blocks - 1) / k)


def merge_correlated_blocks(
    tables: tuple[Array, ...],
    merge: Callable[[Array], Array],
    values: Callable[[tuple[Array, ...]], Array],
    full: float = 1.0,
) -> tuple[tuple[Array, ...], Inflation]:
    """Merge neighboring blocks of all tables until the autocorrelation is small or too few blocks are left.

    ``merge`` halves the number of blocks of a table. ``values`` returns what each block of the tables
    contributes to the estimate. ``full`` is the `fullness` of the blocks.
    """
    current = inflation(values(tables), full)
    while current.r > MAX_AUTOCORRELATION and current.blocks // 2 >= MIN_BLOCKS:
        tables = tuple(merge(table) for table in tables)
        current = inflation(values(tables), full)
    return tables, current
