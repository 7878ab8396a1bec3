"""Critical values and p-values of a statistic: for one look, or for any number of looks."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Protocol

from scipy.stats import norm, t

FIRST_DECISION = 0.7
"""The part of the declared time before which repeated looks find breaks only.

With four incidents in a window, none comes in the first half of it with probability .14, and an early look
cannot know of those that follow. Nor can it see how far slow noise drifts.
"""


class CriticalValues(Protocol):
    """One-sided critical values and p-values of a statistic with mean 0 and variance 1."""

    @property
    def decides(self) -> bool:
        """Whether the window is long enough for a judgment. A break is judged earlier."""
        ...

    @property
    def last(self) -> bool:
        """Whether no look follows."""
        ...

    def critical_value(self, alpha: float, df: float) -> float: ...

    def p_value(self, statistic: float, df: float) -> float: ...


@dataclass(frozen=True)
class OneLook:
    """Student's t, for a window that was declared beforehand and is looked at once, when it has ended."""

    decides = last = True

    def critical_value(self, alpha: float, df: float) -> float:
        """Return the value that the statistic exceeds with probability ``alpha``."""
        return float(t.isf(alpha, df) if df < inf else norm.isf(alpha))

    def p_value(self, statistic: float, df: float) -> float:
        """Return the probability of a statistic at least this large."""
        return float(t.sf(statistic, df) if df < inf else norm.sf(statistic))


ONE_LOOK = OneLook()


@dataclass(frozen=True)
class AnyLook:
    """An asymptotic confidence sequence. It holds at all looks at once, however many there are.

    One-sided form of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
    asymptotic confidence sequences" (arXiv 2103.06476). With ``m = t rho^2`` the boundary is ::

        sqrt(2 (m + 1)/m * log(1 + sqrt(m + 1)/(2 alpha)))

    standard errors. ``rho`` is tuned for the declared end, so ``m`` depends only on ``fraction``, the part of
    the declared time that has passed. The variance is estimated from few blocks, so the boundary is moved to
    the quantile of Student's t that has the same probability.
    """

    fraction: float

    @property
    def decides(self) -> bool:
        """Whether `FIRST_DECISION` of the declared time has passed."""
        return self.fraction >= FIRST_DECISION - 1e-9

    @property
    def last(self) -> bool:
        """Whether this is the look at the declared end."""
        return self.fraction >= 1.0

    def critical_value(self, alpha: float, df: float) -> float:
        """Return the boundary in standard errors."""
        m = self._information()
        normal = sqrt(2 * (m + 1) / m * log(1 + sqrt(m + 1) / (2 * alpha)))
        return float(t.isf(norm.sf(normal), df)) if df < inf else normal

    def p_value(self, statistic: float, df: float) -> float:
        """Return the smallest alpha whose boundary the statistic reaches. It holds at every look."""
        if statistic <= 0:
            return 1.0
        normal = float(norm.isf(t.sf(statistic, df))) if df < inf else statistic
        m = self._information()
        power = max(normal, 0.0) ** 2 * m / (2 * (m + 1))
        return 0.0 if power > 700 else min(1.0, sqrt(m + 1) / (2 * (exp(power) - 1))) if power else 1.0

    def _information(self) -> float:
        """Return ``t rho^2``. Rho makes the sequence narrowest at the end, at one-sided alpha .05."""
        alpha = 0.1
        return max(self.fraction, 1e-9) * (-2 * log(alpha) + log(-2 * log(alpha)) + 1)
