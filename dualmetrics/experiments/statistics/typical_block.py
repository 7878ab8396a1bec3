"""Whether the candidate is worse in a typical block. A few bad blocks hardly move this, unlike the mean."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
from scipy.fft import dct

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.critical import CriticalValues

MIN_TYPICAL_BLOCKS = 20
MIN_BLOCK_ERRORS = 3
"""The errors that half of the blocks of each variant must have. The logarithm of fewer is too coarse."""
BLOCKS_PER_COSINE = 5
FORGETTING, DRIFTING = (0.0, 0.3, 0.6), 0.97
"""The correlations of neighboring blocks in the noises that are told apart."""
CHANCE_VARIANCE = 0.15
"""The variance that chance adds to each of them, if the noise itself has variance 1."""
EVIDENCE, STRICT_EVIDENCE = log(5), log(20)
"""A noise that forgets must be at least five times as likely as one that drifts.

It must be 20 times as likely before the last look, and where chance hides the drift less: for the rate of an
amount, and if there are many errors.
"""
MANY_ERRORS = 50
"""The errors that half of the blocks of each variant have, if there are many."""


class TypicalBlock(NamedTuple):
    """The factor between the error ratios of a typical block, and the test that it is 1."""

    factor: float
    statistic: float
    df: float

    def p_worse(self, critical: CriticalValues, limit: float = 0.0) -> float:
        """Return the p-value of "worse by at most the factor whose logarithm is ``limit``"."""
        share = 1 - limit / log(self.factor) if self.factor != 1 else 1.0
        return critical.p_value(self.statistic * share, self.df)


class LogRatios(NamedTuple):
    """The logarithm of each variant's error ratio in each block."""

    candidate: Array
    baseline: Array

    def drift(self, evidence: float = EVIDENCE) -> bool:
        """Return whether the variants' own ratios drift."""
        return drifts(cosine_powers(self.candidate) + cosine_powers(self.baseline), evidence)

    def differences_drift(self, evidence: float = EVIDENCE) -> bool:
        """Return whether the difference between the variants drifts. What both share cancels."""
        return drifts(cosine_powers(self.candidate - self.baseline), evidence)

    def typical_block(self) -> TypicalBlock:
        """Test the mean of the paired differences against its slow cosines.

        The mean of a series varies as its slowest cosines do, whatever its autocorrelation. Their mean square
        is the variance, with one degree of freedom for each (Mueller 2007; "EWC" in Lazarus, Lewis, Stock
        and Watson, Journal of Business and Economic Statistics 36 (2018), 541).
        """
        differences = self.candidate - self.baseline
        cosines = len(differences) // BLOCKS_PER_COSINE
        deviation = sqrt(float(cosine_powers(differences)[:cosines].mean()))
        mean = float(differences.mean())
        statistic = mean * sqrt(len(differences)) / deviation if deviation > 0 else 0.0
        return TypicalBlock(exp(mean), statistic, float(cosines))


def has_many_errors(candidate: Array, baseline: Array) -> bool:
    """Return whether half of the blocks of each variant have `MANY_ERRORS`."""
    return min(float(np.median(candidate)), float(np.median(baseline))) >= MANY_ERRORS


def log_ratios(candidate: tuple[Array, Array], baseline: tuple[Array, Array]) -> LogRatios | None:
    """Return the logarithms of errors / requests. None if there are too few blocks, requests or errors."""
    if len(candidate[0]) < MIN_TYPICAL_BLOCKS:
        return None
    for errors, requests in (candidate, baseline):
        if np.median(errors) < MIN_BLOCK_ERRORS or requests.min() <= 0:
            return None
    return LogRatios(*(np.log((errors + 0.5) / requests) for errors, requests in (candidate, baseline)))


def cosine_powers(values: Array) -> Array:
    """Return the squares of the coefficients of the cosines with 1, 2, 3, ... half waves in the window."""
    return np.asarray(dct(values, norm="ortho")[1:] ** 2, dtype=np.float64)


def drifts(powers: Array, evidence: float = EVIDENCE) -> bool:
    """Return whether the powers may be those of a noise that drifts, not of one that forgets in a few blocks.

    Two series that drift are apart most of the time, so the difference between them says nothing. The noises
    are first-order autoregressive, with some chance added. Their likelihoods are those of Whittle (1953).
    ``evidence`` is the logarithm of how many times as likely the second must be.
    """
    forgetting = min(_surprise(powers, memory) for memory in FORGETTING)
    return forgetting + evidence > _surprise(powers, DRIFTING)


def _surprise(powers: Array, memory: float) -> float:
    """Return the negative log-likelihood of the powers, at the most likely variance."""
    cosines = len(powers)
    frequencies = np.pi * np.arange(1, cosines + 1) / (cosines + 1)
    spectrum = (1 - memory**2) / (1 - 2 * memory * np.cos(frequencies) + memory**2) + CHANCE_VARIANCE
    scale = max(float((powers / spectrum).mean()), np.finfo(float).tiny)
    return cosines * log(scale) + float(np.log(spectrum).sum())
