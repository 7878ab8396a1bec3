"""How long an experiment must run, estimated before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, log, sqrt

from scipy.stats import norm

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.setup.manifest import SCRAPE_SECONDS
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.power import POWER, z_sum
from dualmetrics.experiments.window import SCRAPES_PER_BLOCK

QUANTILES = (0.95, 0.99)


@dataclass(frozen=True)
class Plan:
    """The seconds until an effect is detected or excluded, with the ``power`` that was asked for."""

    errors: float
    latency: dict[float, float]
    """The seconds for each quantile."""
    least: float
    """The seconds for the smallest number of blocks that can be judged."""

    @property
    def seconds(self) -> float:
        """The seconds until all gates can be judged."""
        return max(self.errors, self.least, *self.latency.values())


def plan(
    rate: float,
    error_ratio: float,
    *,
    margin: float = 0.001,
    slower: float = 0.10,
    split: float = 0.5,
    spread: float = 0.8,
    phi: float = 1.0,
    alpha: float = 0.05,
    power: float = POWER,
) -> Plan:
    """Estimate the length for ``rate`` requests per second of both variants, of which ``error_ratio`` fail.

    Errors: ``n = phi (z_alpha + z_power)^2 p (1 - p) / margin^2 / (s (1 - s))`` requests of both variants,
    where ``s`` is the candidate's share of the traffic, ``split``. Quantiles: the variance of ``ln Q`` from
    ``n`` requests is ``q (1 - q) / (n g^2)``, where ``g`` is the density of the logarithm of the latency at
    the quantile. The latency is assumed to be log-normal; the standard deviation of its logarithm is
    ``spread``.
    ``phi`` is how many times more than by chance the errors vary. Raises `UsageError` if a value is out of
    range.
    """
    _check_values(rate, error_ratio, split, alpha, power, margin, slower, phi, spread)
    with _reasonable_values():
        scale = phi * z_sum(alpha, power) ** 2 / (split * (1 - split)) / rate
        errors = scale * error_ratio * (1 - error_ratio) / margin**2
        latency = {q: scale * _log_quantile_variance(q, spread) / log(1 + slower) ** 2 for q in QUANTILES}
    return Plan(errors, latency, MIN_BLOCKS * SCRAPES_PER_BLOCK * SCRAPE_SECONDS)


def smallest_visible_difference(
    seconds: float, rate: float, error_ratio: float, split: float = 0.5, phi: float = 1.0
) -> float:
    """Return the smallest difference of error ratios detected in that time, with power .8 at alpha .05.

    Raises `UsageError` if a value is too large or too small to calculate with.
    """
    with _reasonable_values():
        n = seconds * rate * split * (1 - split)
        return z_sum(0.05) * sqrt(phi * error_ratio * (1 - error_ratio) / n)


def _log_quantile_variance(q: float, spread: float) -> float:
    """Return the variance of the logarithm of a quantile, times the number of requests."""
    density = float(norm.pdf(norm.ppf(q))) / spread
    return q * (1 - q) / density**2


def _check_values(
    rate: float, error_ratio: float, split: float, alpha: float, power: float, *positive: float
) -> None:
    if not all(0 < value < inf for value in (rate, *positive)):
        raise UsageError("The rate, and all sizes and margins, must be above 0.")
    if not 0 < error_ratio < 1 or not 0 < split < 1:
        raise UsageError("The error ratio and the split must lie between 0 and 1.")
    if not 0 < alpha < 0.5 or not 0 < power < 1:
        raise UsageError("Alpha must lie between 0 and .5, and the power between 0 and 1.")


@contextmanager
def _reasonable_values() -> Iterator[None]:
    try:
        yield
    except ArithmeticError as error:
        raise UsageError("A value is too large or too small to calculate with.") from error
