"""What neighbouring blocks have in common makes the sum vary more than independent blocks would."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array

MAX_BLOCKS = 40
MIN_BLOCKS = 10
MAX_AUTOCORRELATION = 0.25
ROUNDING = 1e-24
"""Squares that sum to no more are what is left of equal numbers."""


class Inflation(NamedTuple):
    """The factor ``k`` of the variance, and the degrees of freedom that are left."""

    blocks: int
    r: float
    k: float
    df: float

    @property
    def enough(self) -> bool:
        """Whether there are blocks enough, and independent enough, to judge by."""
        return self.blocks >= MIN_BLOCKS and self.r <= MAX_AUTOCORRELATION


def lag1(values: Array) -> float:
    """The autocorrelation of neighbours; 0 where nothing varies."""
    centred = values - values.mean()
    total = float(centred @ centred)
    return float(centred[:-1] @ centred[1:]) / total if total > ROUNDING else 0.0


def inflation(values: Array) -> Inflation:
    """``r = clip(r1 + (1 + 3 r1)/B, 0, .9)``, ``k = (1 + r)/(1 - r)``, ``df = (B - 1)/k``.

    The term in 1/B takes out the bias of an estimate from few blocks (Kendall 1954); the factor is that of a
    first-order autoregressive process.
    """
    blocks = len(values)
    if blocks < 2:
        return Inflation(blocks, 0.0, 1.0, float("inf"))
    r1 = lag1(values)
    r = float(np.clip(r1 + (1 + 3 * r1) / blocks, 0.0, 0.9))
    k = (1 + r) / (1 - r)
    return Inflation(blocks, r, k, (blocks - 1) / k)


def merge_correlated_blocks(
    tables: tuple[Array, ...], halved: Callable[[Array], Array], values: Callable[[tuple[Array, ...]], Array]
) -> tuple[tuple[Array, ...], Inflation]:
    """The tables in blocks so long that neighbours have little in common, if that leaves enough of them.

    ``values`` gives what a block adds to the estimate.
    """
    found = inflation(values(tables))
    while found.r > MAX_AUTOCORRELATION and found.blocks // 2 >= MIN_BLOCKS:
        tables = tuple(halved(table) for table in tables)
        found = inflation(values(tables))
    return tables, found
