"""Whether traffic was split as declared. If it was not, something besides the variants differs too."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dualmetrics.experiments.statistics.arrays import Array, merge_neighbors
from dualmetrics.experiments.statistics.autocorrelation import Inflation, merge_correlated_blocks
from dualmetrics.experiments.statistics.critical import ONE_LOOK
from dualmetrics.experiments.statistics.error_ratio import variance_of_sum

MISMATCH_ALPHA = 0.001


class Mismatch(NamedTuple):
    """The test of the sample ratio: the p-value belongs to ``chi2`` divided by ``phi``."""

    chi2: float
    phi: float
    p: float

    @property
    def found(self) -> bool:
        """Whether the ratio surely differs from the declared one."""
        return self.p < MISMATCH_ALPHA


def sample_ratio_mismatch(candidate: Array, baseline: Array, share: float) -> Mismatch:
    """Test the two totals against the candidate's declared ``share`` with chi-square.

    Requests are not independent of each other. ``phi`` is how many times more than a binomial count the
    candidate's share varies between blocks, after the same corrections as for the error ratio.
    """
    tables, inflation = merge_correlated_blocks((candidate, baseline), merge_neighbors, _surplus)
    total = float(candidate.sum() + baseline.sum())
    binomial = total * share * (1 - share)
    chi2 = (float(candidate.sum()) - share * total) ** 2 / binomial
    phi = max(1.0, inflation.k * variance_of_sum(_surplus(tables)) / binomial)
    return Mismatch(chi2, phi, _two_sided_p(chi2 / phi, inflation))


def step_mismatches(
    candidate: Array, baseline: Array, shares: Sequence[float], strata: npt.NDArray[np.int_]
) -> list[float]:
    """Test each step of a ramp against its declared share. Returns the p-value of each that has requests.

    All steps together show how much the share varies.
    """
    total = candidate + baseline
    surplus, binomial, chi2 = np.zeros(len(total)), 0.0, []
    for number, share in enumerate(shares):
        blocks = strata == number
        if total[blocks].sum() > 0:
            surplus[blocks] = _surplus((candidate[blocks], baseline[blocks]))
            variance = float(total[blocks].sum()) * share * (1 - share)
            chi2.append(float((candidate - share * total)[blocks].sum()) ** 2 / variance)
            binomial += variance
    tables, inflation = merge_correlated_blocks(
        (surplus[strata >= 0],), merge_neighbors, lambda merged: merged[0]
    )
    phi = max(1.0, inflation.k * variance_of_sum(tables[0]) / binomial) if binomial else 1.0
    return [_two_sided_p(each / phi, inflation) for each in chi2]


def _surplus(tables: tuple[Array, ...]) -> Array:
    """Return the candidate's requests in each block less the number expected from its overall share."""
    candidate, baseline = tables
    share = candidate.sum() / (candidate.sum() + baseline.sum())
    surplus: Array = candidate - share * (candidate + baseline)
    return surplus


def _two_sided_p(chi2: float, inflation: Inflation) -> float:
    return min(1.0, 2 * ONE_LOOK.p_value(sqrt(chi2), inflation.df))
