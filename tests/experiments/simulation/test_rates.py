"""A short form of the simulations. ``tox -e simulate`` runs more, and writes docs/experiments-validation.md.

The limits allow for chance: three standard errors at these numbers of runs.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from dualmetrics.experiments.increments import ScrapeHistory, increments
from dualmetrics.experiments.statistics import autocorrelation, error_ratio, quantiles
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import Inflation
from tests.experiments.simulation import rates
from tests.experiments.simulation.noise import SCENARIOS, Noise

pytestmark = pytest.mark.server  # slow

RUNS = 400
FALSE_FAIL = 0.075
FALSE_PASS = 0.065
LATENCY_NOISE = Noise(own=0.15, own_memory=0.6)


def limit(rate: float, runs: int = RUNS) -> float:
    return rate + 3 * sqrt(rate * (1 - rate) / runs)


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_difference_few_experiments_fail(name: str) -> None:
    assert rates.share(rates.ours, SCENARIOS[name], RUNS) <= limit(FALSE_FAIL)


@pytest.mark.parametrize("name", SCENARIOS)
def test_at_the_margin_few_experiments_pass(name: str) -> None:
    found = rates.share(rates.passes, SCENARIOS[name], RUNS, effect=rates.MARGIN, seed=2)
    assert found <= limit(FALSE_PASS)


def test_a_true_difference_is_detected() -> None:
    assert rates.share(rates.ours, Noise(own=0.5, own_memory=0.6), 200, effect=0.005) > 0.8


@pytest.mark.parametrize("q", [0.95, 0.99])
def test_a_candidate_slower_by_the_margin_rarely_passes(q: float) -> None:
    found = rates.quantile(q, LATENCY_NOISE, 1 + rates.SLOWER, 200)
    assert found.passed <= limit(FALSE_PASS, 200)


@pytest.mark.parametrize("q", [0.95, 0.99])
def test_without_a_difference_latency_rarely_fails(q: float) -> None:
    assert rates.quantile(q, LATENCY_NOISE, 1.0, 200).failed <= limit(FALSE_FAIL, 200)


def test_looking_after_every_block_does_not_raise_the_error_of_the_sequence() -> None:
    found = rates.looks(Noise(own=0.5, own_memory=0.6), 100)
    assert found.failed <= limit(0.05, 100)
    assert found.fixed > found.failed


class TestEachCorrectionIsNeeded:
    """Without any one of the corrections, a limit above does not hold."""

    def test_pairing_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Incidents that both variants share hide a difference if they are not canceled."""
        noise = SCENARIOS["shared incidents"]
        with_pairing = rates.share(rates.ours, noise, 100, effect=0.003)
        monkeypatch.setattr(error_ratio, "variance_of_sum", unpaired_variance)
        monkeypatch.setattr(error_ratio, "residuals", recording_residuals)
        without_pairing = rates.share(rates.ours, noise, 100, effect=0.003)
        assert with_pairing > 0.9 > 0.6 > without_pairing

    def test_overdispersion_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(error_ratio, "overdispersion", lambda variance, table: 1.0)
        assert rates.share(rates.ours, SCENARIOS["own bursts"], RUNS) > limit(FALSE_FAIL)

    def test_autocorrelation_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            autocorrelation, "inflation", lambda values: Inflation(len(values), 0.0, 1.0, 39.0)
        )
        assert rates.share(rates.ours, SCENARIOS["own noise, AR .95"], RUNS) > limit(FALSE_FAIL)

    def test_counting_new_series_from_0_is_needed(self) -> None:
        """The series of errors appears with the first errors. If they did not count, they would be lost."""
        values = np.array([3.0, 3.0, 4.0])
        history = ScrapeHistory(0.0, {("", ""): 1.0})
        assert increments(values, history.starts_at_zero({}, 50.0)).sum() == 4
        assert increments(values, from_zero=False).sum() == 1

    def test_tail_interpolation_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quantiles, "tail_quantile", quantiles.linear_quantile)
        assert rates.quantile(0.95, Noise(), 1 + rates.SLOWER, 100).passed > limit(FALSE_PASS, 100)


LAST_RESIDUALS: list[Array] = []


def recording_residuals(x: Array, n: Array) -> Array:
    """Return the residuals, and keep those of the last two calls, candidate and baseline."""
    centered: Array = (x - x.sum() / n.sum() * n) / n.sum()
    LAST_RESIDUALS[:] = [*LAST_RESIDUALS[-1:], centered]
    return centered


def unpaired_variance(values: Array) -> float:
    """Return the variance if the variants had nothing in common: the sum of both."""
    blocks = len(values)
    return float(blocks / (blocks - 1) * sum(np.sum(residuals**2) for residuals in LAST_RESIDUALS))
