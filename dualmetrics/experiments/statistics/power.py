"""How much longer an experiment must run, and how small an effect it can detect."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from scipy.stats import norm

POWER = 0.8


class Need(NamedTuple):
    """What follows from the standard error of an effect."""

    times: float
    """How many times as long the window must be to exclude the margin with `POWER`, if there is no effect."""
    visible: float
    """The smallest effect that is detected now with `POWER`; for a factor, its logarithm."""


def estimate_need(margin: float, error: float, alpha: float) -> Need:
    """Estimate the need from a standard error, which shrinks with the square root of time.

    The margin must be at least ``z_alpha + z_power`` standard errors.
    """
    visible = z_sum(alpha) * error
    return Need((visible / margin) ** 2 if margin > 0 else inf, visible)


def z_sum(alpha: float, power: float = POWER) -> float:
    """Return ``z_alpha + z_power``."""
    return float(norm.isf(alpha) + norm.ppf(power))
