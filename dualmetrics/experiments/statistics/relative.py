"""Other intervals for two proportions: of their ratio, and of their difference without iteration."""

from __future__ import annotations

from math import exp, inf, log, sqrt

from dualmetrics.experiments.statistics.score_interval import ContingencyTable, bisect


def newcombe(table: ContingencyTable, critical: float) -> tuple[float, float]:
    """The difference, by two of Wilson (Newcombe, Statistics in Medicine 17 (1998), 873, method 10)."""
    p1, p0 = table.x1 / table.n1, table.x0 / table.n0
    low1, high1 = wilson(table.x1, table.n1, critical)
    low0, high0 = wilson(table.x0, table.n0, critical)
    difference = p1 - p0
    return (
        difference - sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2),
        difference + sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2),
    )


def wilson(x: float, n: float, critical: float) -> tuple[float, float]:
    """The score interval of one proportion (Wilson 1927)."""
    z2 = critical**2
    centre = (x + z2 / 2) / (n + z2)
    half = critical * sqrt(x * (n - x) / n + z2 / 4) / (n + z2)
    return centre - half, centre + half


def koopman(table: ContingencyTable, critical: float) -> tuple[float, float]:
    """The ratio ``p1/p0`` by Koopman's score interval (Biometrics 40 (1984), 513); ends at 0 and infinity."""
    if table.x0 == 0 and table.x1 == 0:
        return 0.0, inf
    start = log((table.x1 + 0.5) / table.n1 / ((table.x0 + 0.5) / table.n0))
    limit = critical**2
    lower = bisect(lambda at: at > start - 30 and _chi2(table, exp(at)) <= limit, start - 30, start)
    upper = bisect(lambda at: _chi2(table, exp(at)) > limit, start, start + 30)
    return exp(lower) if table.x1 else 0.0, exp(upper) if table.x0 else inf


def _chi2(table: ContingencyTable, ratio: float) -> float:
    x1, n1, x0, n0 = table
    b = ratio * (n1 + x0) + x1 + n0
    p1 = (b - sqrt(max(b * b - 4 * ratio * (n1 + n0) * (x1 + x0), 0.0))) / (2 * (n1 + n0))
    if not 0 < p1 < 1:
        return 0.0 if x1 == n1 * p1 else inf
    return (x1 - n1 * p1) ** 2 / (n1 * p1 * (1 - p1)) * (1 + n1 * (ratio - p1) / (n0 * (1 - p1)))
