"""The variance of any estimate from blocks: leave out each block once."""

from __future__ import annotations

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array


def left_out(counts: Array) -> Array:
    """Return the sum of all blocks without the first, without the second, and so on."""
    return np.asarray(counts.sum(axis=0) - counts, dtype=np.float64)


def influences(estimates: Array) -> Array:
    """Return how far each block moves the estimate, scaled so that the squares sum to the jackknife variance.

    ``V = (B - 1)/B sum (theta_(b) - mean)^2`` (Efron and Tibshirani, An Introduction to the Bootstrap, 11.5).
    """
    blocks = len(estimates)
    return np.asarray((estimates.mean() - estimates) * np.sqrt((blocks - 1) / blocks), dtype=np.float64)
