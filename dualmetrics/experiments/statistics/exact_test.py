"""Few errors: the exact test, which needs no approximation."""

from __future__ import annotations

from scipy.stats import binom

from dualmetrics.experiments.statistics.score_interval import ContingencyTable

MAX_ERRORS = 20
MAX_PHI = 1.2


def applies(table: ContingencyTable, phi: float) -> bool:
    """Whether the errors are few and come as independently as the exact test supposes."""
    return table.x1 + table.x0 < MAX_ERRORS and phi < MAX_PHI


def p_worse(table: ContingencyTable) -> float:
    """The probability that, of all errors, at least so many fall to the candidate if both fail alike.

    Given the sum, the candidate's errors are binomial with the candidate's share of the requests
    (Przyborowski and Wilenski, Biometrika 31 (1940), 313).
    """
    share = table.n1 / (table.n1 + table.n0)
    return float(binom.sf(round(table.x1) - 1, round(table.x1 + table.x0), share))
