"""How much a verdict rests on a handful of blocks."""

from __future__ import annotations

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array

MORE_INCIDENTS = 4
"""What was seen once may happen 4.74 times as often on average: the upper limit of a Poisson mean at .05."""
INCIDENT_BLOCKS = 3
CHANCE_DEVIATIONS = 3.0
"""An incident has more errors than its requests explain, by this many standard deviations."""


def worst_run(excess: Array, deviations: Array) -> float:
    """Return the excess of the worst three neighboring blocks over the average; 0 if chance explains it.

    ``deviations`` are the standard deviations of the blocks by chance alone.
    """
    run = np.ones(min(INCIDENT_BLOCKS, len(excess)))
    sums = np.convolve(excess, run, "valid")
    worst = int(sums.argmax())
    chance = CHANCE_DEVIATIONS * np.sqrt(np.convolve(deviations**2, run, "valid")[worst])
    return float(sums[worst]) if sums[worst] > chance else 0.0


def worst_incident(errors: Array, requests: Array) -> float:
    """Return the share of all requests that failed in the worst three neighboring blocks beyond the average.

    0 if chance explains them.
    """
    expected = errors.sum() / requests.sum() * requests
    return worst_run(errors - expected, np.sqrt(expected)) / float(requests.sum())


def allowances(candidate: tuple[Array, Array], baseline: tuple[Array, Array]) -> tuple[float, float]:
    """Return by how much more the ratios of candidate and baseline may differ from what was seen.

    Each is what `MORE_INCIDENTS` like the worst of that variant would add, beyond those of the other variant.
    If both have incidents alike, both allowances are small: then the incidents are part of the comparison.
    """
    worst1, worst0 = worst_incident(*candidate), worst_incident(*baseline)
    return MORE_INCIDENTS * max(0.0, worst1 - worst0), MORE_INCIDENTS * max(0.0, worst0 - worst1)
