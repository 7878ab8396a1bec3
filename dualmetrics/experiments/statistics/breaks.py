"""Whether the candidate is worse than anything that the baseline did in the same window."""

from __future__ import annotations

from math import exp, log

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.critical import CriticalValues

PARTS = 10
RANGES = 1.5
MIN_BREAK_ERRORS = 20
MIN_FACTOR_OF_LOOKS = 5.0
"""Of repeated looks one may come just after an incident, so the factor must be larger."""

MIN_FACTOR_OF_RUN = 10.0
"""A run of ten blocks is short, and there are several, so the factor must be larger."""


def in_parts(blocks: Array) -> Array:
    """Add up the blocks in ten parts of the window."""
    starts = np.arange(PARTS) * len(blocks) // PARTS
    return np.asarray(np.add.reduceat(blocks, starts, axis=0), dtype=np.float64)


def beyond_worst(average: float, highest: float, parts: Array, least: float = 1.0) -> float | None:
    """Return how many times the candidate's ``average`` exceeds the ``highest`` of the baseline's ``parts``.

    None unless this is at least ``least``, and more than 1.5 times the range of the parts, on a log scale. A
    candidate that breaks, leaks or slows down within the window is autocorrelated, and so inflates its own
    variance. The range of the baseline shows what noise does here, and a change of the candidate does not
    inflate it.
    """
    if average <= highest or parts.min() <= 0 or not np.isfinite(parts).all():
        return None
    excess, spread = log(average / highest), log(float(parts.max() / parts.min()))
    return exp(excess) if excess > RANGES * spread and excess >= log(least) else None


def error_break(
    candidate: tuple[Array, Array], baseline: tuple[Array, Array], critical: CriticalValues
) -> float | None:
    """Apply `beyond_worst` to error ratios: of the whole window, else of each run of ten blocks.

    In a run the factor must be at least 10. An incident of both variants at another time does not hide it.
    """
    least = 1.0 if critical.last else MIN_FACTOR_OF_LOOKS
    found = _break_within(candidate, baseline, slice(None), least)
    runs = [slice(start, start + PARTS) for start in range(0, len(candidate[0]) - PARTS + 1, PARTS)]
    factors = [_break_within(candidate, baseline, run, MIN_FACTOR_OF_RUN) for run in runs]
    return found or max((factor for factor in factors if factor), default=None)


def _break_within(
    candidate: tuple[Array, Array], baseline: tuple[Array, Array], run: slice, least: float
) -> float | None:
    """Return the factor within a run of blocks. None if it has fewer than ten, or few errors."""
    (x1, n1), (x0, n0) = ((each[0][run], each[1][run]) for each in (candidate, baseline))
    if len(x1) < PARTS or x1.sum() < MIN_BREAK_ERRORS:
        return None
    errors, requests = in_parts(x0), in_parts(n0)
    seen = requests > 0
    if not seen.any():
        return None
    parts = (errors[seen] + 0.5) / requests[seen]
    return beyond_worst(float((x1.sum() + 0.5) / n1.sum()), float(parts.max()), parts, least)
