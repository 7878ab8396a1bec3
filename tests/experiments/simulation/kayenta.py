"""Kayenta's rule, for comparison: Mann-Whitney on the values of each step.

As its documentation and source describe it: the 98 % interval of the Hodges-Lehmann shift between the
candidate's and the baseline's values; High where its lower end is above a quarter of the estimated shift.
Request counts play no part; steps without requests have no value.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.error_ratio import Counts

TOLERANCE = 0.25
CONFIDENCE = 0.98


def fails(candidate: Counts, baseline: Counts) -> bool:
    """Whether Kayenta's classifier says High."""
    lower, estimate = shift(_values(candidate), _values(baseline))
    return lower > TOLERANCE * abs(estimate)


def shift(candidate: Array, baseline: Array) -> tuple[float, float]:
    """The lower end of the interval of the shift, and its estimate: the median of all differences."""
    differences = np.sort((candidate[:, None] - baseline[None, :]).ravel())
    n1, n0 = len(candidate), len(baseline)
    deviation = np.sqrt(n1 * n0 * (n1 + n0 + 1) / 12)
    rank = int(np.floor(n1 * n0 / 2 - norm.ppf((1 + CONFIDENCE) / 2) * deviation))
    return float(differences[max(rank, 0)]), float(np.median(differences))


def mann_whitney(candidate: Counts, baseline: Counts) -> bool:
    """The plain one-sided test at .05 on the same values."""
    from scipy.stats import mannwhitneyu

    values = _values(candidate), _values(baseline)
    return bool(mannwhitneyu(*values, alternative="greater").pvalue <= 0.05)


def _values(counts: Counts) -> Array:
    known = counts.requests > 0
    return np.asarray(counts.errors[known] / counts.requests[known], dtype=np.float64)
