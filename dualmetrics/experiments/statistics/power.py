"""How much longer, and how small an effect."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from scipy.stats import norm

POWER = 0.8


class Need(NamedTuple):
    """What the standard error allows."""

    times: float
    """How many times as long the window must be to exclude the margin with `POWER`, if there is no effect."""
    visible: float
    """The smallest effect that is seen now with `POWER`; for a factor, of its logarithm."""


def estimate_need(margin: float, error: float, alpha: float) -> Need:
    """``(z_alpha + z_power)`` standard errors must fit into the margin; they shrink with the root of time."""
    visible = z_sum(alpha) * error
    return Need((visible / margin) ** 2 if margin > 0 else inf, visible)


def z_sum(alpha: float, power: float = POWER) -> float:
    """``z_alpha + z_power``."""
    return float(norm.isf(alpha) + norm.ppf(power))
