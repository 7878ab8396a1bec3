"""How far from its null value a statistic may come: at one look, or at any number of looks."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Protocol

from scipy.stats import norm, t


class CriticalValues(Protocol):
    """One-sided critical values of a statistic with mean 0 and variance 1, and its p-value."""

    def critical_value(self, alpha: float, df: float) -> float: ...

    def p_value(self, statistic: float, df: float) -> float: ...


@dataclass(frozen=True)
class OneLook:
    """Student's t: the window was declared beforehand, and is looked at when it has ended."""

    def critical_value(self, alpha: float, df: float) -> float:
        """The quantile that is exceeded with probability ``alpha``."""
        return float(t.isf(alpha, df) if df < inf else norm.isf(alpha))

    def p_value(self, statistic: float, df: float) -> float:
        """The probability of a statistic at least so large."""
        return float(t.sf(statistic, df) if df < inf else norm.sf(statistic))


@dataclass(frozen=True)
class AnyLook:
    """An asymptotic confidence sequence: right at every look at once, however often one looks.

    One-sided form of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
    asymptotic confidence sequences" (arXiv 2103.06476): with ``m = t rho^2``, ::

        sqrt(2 (m + 1)/m * log(1 + sqrt(m + 1)/(2 alpha)))

    standard errors. ``rho`` is tuned for the declared end, so that ``m`` depends only on the ``fraction`` of
    the declared time that is over. The variance is estimated from few blocks, so the boundary is moved to the
    quantile of Student's t that belongs to the same probability.
    """

    fraction: float

    def critical_value(self, alpha: float, df: float) -> float:
        """The boundary in standard errors."""
        m = self._information()
        normal = sqrt(2 * (m + 1) / m * log(1 + sqrt(m + 1) / (2 * alpha)))
        return float(t.isf(norm.sf(normal), df)) if df < inf else normal

    def p_value(self, statistic: float, df: float) -> float:
        """The smallest alpha whose boundary the statistic reaches: a p-value that holds at every look."""
        if statistic <= 0:
            return 1.0
        normal = float(norm.isf(t.sf(statistic, df))) if df < inf else statistic
        m = self._information()
        power = max(normal, 0.0) ** 2 * m / (2 * (m + 1))
        return 0.0 if power > 700 else min(1.0, sqrt(m + 1) / (2 * (exp(power) - 1))) if power else 1.0

    def _information(self) -> float:
        """``t rho^2`` for the rho that makes the sequence narrowest at the end, at alpha .05 one-sided."""
        alpha = 0.1
        return max(self.fraction, 1e-9) * (-2 * log(alpha) + log(-2 * log(alpha)) + 1)
