"""The exact test for few errors, which needs no approximation."""

from __future__ import annotations

from scipy.stats import binom

from dualmetrics.experiments.statistics.score_interval import ContingencyTable

MAX_ERRORS = 20
MAX_PHI = 1.2


def applies(table: ContingencyTable, phi: float) -> bool:
    """Return whether the errors are few, and as independent of each other as the exact test assumes."""
    return table.x1 + table.x0 < MAX_ERRORS and phi < MAX_PHI


def p_worse(table: ContingencyTable) -> float:
    """Return the probability that at least so many of all errors are the candidate's, if both fail alike.

    Given the sum of the errors, the candidate's are binomial with its share of the requests (Przyborowski and
    Wilenski, Biometrika 31 (1940), 313).
    """
    share = table.n1 / (table.n1 + table.n0)
    return float(binom.sf(round(table.x1) - 1, round(table.x1 + table.x0), share))
