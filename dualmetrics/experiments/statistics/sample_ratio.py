"""Did the traffic arrive in the proportion that was declared? If not, something else differs too."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from dualmetrics.experiments.statistics.arrays import Array, merge_neighbors
from dualmetrics.experiments.statistics.autocorrelation import Inflation, merge_correlated_blocks
from dualmetrics.experiments.statistics.critical import OneLook
from dualmetrics.experiments.statistics.error_ratio import variance_of_sum

MISMATCH_ALPHA = 0.001


class Mismatch(NamedTuple):
    """The test of the sample ratio: ``chi2`` over ``phi``, and the p-value."""

    chi2: float
    phi: float
    p: float

    @property
    def found(self) -> bool:
        """Whether the proportion is not the declared one."""
        return self.p < MISMATCH_ALPHA


def sample_ratio_mismatch(candidate: Array, baseline: Array, share: float) -> Mismatch:
    """Chi-square of the two totals against the candidate's declared ``share``.

    Requests do not come independently: ``phi`` is how much more than a binomial count the candidate's part
    varies from block to block, after the same corrections as for the error ratio.
    """
    tables, inflation = merge_correlated_blocks((candidate, baseline), merge_neighbors, _surplus)
    total = float(candidate.sum() + baseline.sum())
    binomial = total * share * (1 - share)
    chi2 = (float(candidate.sum()) - share * total) ** 2 / binomial
    phi = max(1.0, inflation.k * variance_of_sum(_surplus(tables)) / binomial)
    return Mismatch(chi2, phi, _p(chi2 / phi, inflation))


def _surplus(tables: tuple[Array, ...]) -> Array:
    candidate, baseline = tables
    share = candidate.sum() / (candidate.sum() + baseline.sum())
    surplus: Array = candidate - share * (candidate + baseline)
    return surplus


def _p(chi2: float, inflation: Inflation) -> float:
    return min(1.0, 2 * OneLook().p_value(sqrt(chi2), inflation.df))
