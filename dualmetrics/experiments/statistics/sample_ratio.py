"""Whether traffic was split as declared. If it was not, something besides the variants differs too."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

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


def _surplus(tables: tuple[Array, ...]) -> Array:
    """Return the candidate's requests in each block less the number expected from its overall share."""
    candidate, baseline = tables
    share = candidate.sum() / (candidate.sum() + baseline.sum())
    surplus: Array = candidate - share * (candidate + baseline)
    return surplus


def _two_sided_p(chi2: float, inflation: Inflation) -> float:
    return min(1.0, 2 * ONE_LOOK.p_value(sqrt(chi2), inflation.df))
