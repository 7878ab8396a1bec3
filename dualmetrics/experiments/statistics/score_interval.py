"""The difference of two proportions: the score test and its interval."""

from __future__ import annotations

from collections.abc import Callable
from math import acos, copysign, cos, pi, sqrt
from typing import NamedTuple

BISECTIONS = 60


class ContingencyTable(NamedTuple):
    """Errors ``x`` of ``n`` requests; 1 is the candidate, 0 the baseline. The counts may be fractions."""

    x1: float
    n1: float
    x0: float
    n0: float

    @property
    def estimate(self) -> float:
        """``p1 - p0``."""
        return self.x1 / self.n1 - self.x0 / self.n0

    @property
    def pooled(self) -> float:
        """The proportion of errors among the requests of both."""
        return (self.x1 + self.x0) / (self.n1 + self.n0)

    def divided_by(self, phi: float) -> ContingencyTable:
        """Divide all counts by the overdispersion ``phi``: the effective number of independent requests."""
        return ContingencyTable(*(count / phi for count in self))


def constrained(table: ContingencyTable, delta: float) -> tuple[float, float]:
    """Return the most likely ``(p1, p0)`` among those with ``p1 - p0 = delta``.

    The root of the cubic equation of the likelihood in closed form: Farrington and Manning, Statistics in
    Medicine 9 (1990), 1447. The coefficients are those of Miettinen and Nurminen, Statistics in Medicine 4
    (1985), 213.
    """
    x1, n1, x0, n0 = table
    n, x = n1 + n0, x1 + x0
    l2 = (n1 + 2 * n0) * delta - n - x
    l1 = (n0 * delta - n - 2 * x0) * delta + x
    l0 = x0 * delta * (1 - delta)
    third = l2 / (3 * n)
    q = third**3 - l1 * l2 / (6 * n**2) + l0 / (2 * n)
    p = copysign(sqrt(max(third**2 - l1 / (3 * n), 0.0)), q)
    angle = (pi + acos(min(max(q / p**3, -1.0), 1.0))) / 3 if p**3 else pi / 2
    p0 = min(max(2 * p * cos(angle) - third, 0.0, -delta), 1.0, 1.0 - delta)
    return p0 + delta, p0


def statistic(table: ContingencyTable, delta: float) -> float:
    """Return ``(p1 - p0 - delta)`` divided by its standard error at the constrained estimate.

    This is Miettinen and Nurminen's statistic without their factor N/(N - 1). Published examples are computed
    without it (Fagerland, Lydersen and Laake 2015), and with the counts of a web service it is about 1.
    """
    p1, p0 = constrained(table, delta)
    variance = p1 * (1 - p1) / table.n1 + p0 * (1 - p0) / table.n0
    distance = table.estimate - delta
    if abs(distance) < 1e-15:
        return 0.0
    return distance / sqrt(variance) if variance > 0 else copysign(float("inf"), distance)


def interval(table: ContingencyTable, critical: float) -> tuple[float, float]:
    """Find the limits of the differences whose statistic is within ``critical`` of 0, by bisection."""
    estimate = table.estimate
    lower = _bisect(lambda delta: statistic(table, delta) <= critical, -1.0, estimate)
    upper = _bisect(lambda delta: statistic(table, delta) < -critical, estimate, 1.0)
    return lower, upper


def _bisect(reached: Callable[[float], bool], below: float, above: float) -> float:
    """Find where ``reached`` becomes true between ``below`` and ``above``."""
    for _ in range(BISECTIONS):
        middle = (below + above) / 2
        below, above = (below, middle) if reached(middle) else (middle, above)
    return (below + above) / 2
