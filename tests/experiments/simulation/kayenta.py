"""Kayenta's rule, for comparison: the Mann-Whitney test on the values of each step.

According to its documentation and source, Kayenta takes the 98 % interval of the Hodges-Lehmann shift between
the values of candidate and baseline. The result is High if the lower end is above a quarter of the estimated
shift. Request counts do not matter. Steps without requests have no value.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.error_ratio import Counts

TOLERANCE = 0.25
CONFIDENCE = 0.98


def fails(candidate: Counts, baseline: Counts) -> bool:
    """Return whether Kayenta's classifier would return High."""
    lower, estimate = shift(_values(candidate), _values(baseline))
    return lower > TOLERANCE * abs(estimate)


def shift(candidate: Array, baseline: Array) -> tuple[float, float]:
    """Return the lower end of the interval of the shift, and its estimate, the median of all differences."""
    differences = np.sort((candidate[:, None] - baseline[None, :]).ravel())
    n1, n0 = len(candidate), len(baseline)
    deviation = np.sqrt(n1 * n0 * (n1 + n0 + 1) / 12)
    rank = int(np.floor(n1 * n0 / 2 - norm.ppf((1 + CONFIDENCE) / 2) * deviation))
    return float(differences[max(rank, 0)]), float(np.median(differences))


def mann_whitney(candidate: Counts, baseline: Counts) -> bool:
    """Return whether the plain one-sided test rejects at .05, on the same values."""
    from scipy.stats import mannwhitneyu

    values = _values(candidate), _values(baseline)
    return bool(mannwhitneyu(*values, alternative="greater").pvalue <= 0.05)


def _values(counts: Counts) -> Array:
    known = counts.requests > 0
    return np.asarray(counts.errors[known] / counts.requests[known], dtype=np.float64)
