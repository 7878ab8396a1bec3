"""A short form of the simulations. ``tox -e simulate`` runs more, and writes docs/experiments-validation.md.

The limits allow for chance: three standard errors at these numbers of runs.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from dualmetrics.experiments.increments import ScrapeHistory, increments
from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.statistics import autocorrelation, error_ratio
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import Inflation
from dualmetrics.experiments.statistics.error_ratio import Counts
from tests.experiments.simulation import rates
from tests.experiments.simulation.blind_spots import BLIND_SPOTS
from tests.experiments.simulation.errors import ROLLOUT
from tests.experiments.simulation.latencies import BOUNDS, NARROW
from tests.experiments.simulation.noise import BREAKS, ONE_SIDED, SCENARIOS, STEPS, Noise

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


@pytest.mark.parametrize("name", ["own bursts", "own noise, AR .95"])
def test_one_point_more_is_detected_in_own_noise(name: str) -> None:
    found = rates.share(rates.ours, SCENARIOS[name], 200, effect=0.01, service=ROLLOUT)
    assert found >= 0.9 - 3 * sqrt(0.9 * 0.1 / 200)


@pytest.mark.parametrize("name", BREAKS)
def test_a_candidate_that_breaks_midway_fails(name: str) -> None:
    assert rates.share(rates.ours, Noise(), 100, service=ROLLOUT, change=BREAKS[name]) >= 0.97


def test_an_incident_of_both_variants_hides_no_break() -> None:
    """For a tenth of the window, both have 20 times as many errors. Later the candidate breaks."""
    incident = np.where(np.arange(40) < 4, 20.0, 1.0)
    requests = np.full(40, 3600.0)
    broken = np.where(np.arange(40) >= 20, requests, 18 * incident)
    fails, _ = rates.judge(Counts(broken, requests), Counts(18 * incident, requests))
    assert fails


@pytest.mark.parametrize("name", ["100 % errors from three quarters", "100 % errors for a sixteenth"])
def test_a_candidate_that_breaks_midway_fails_at_one_of_many_looks(name: str) -> None:
    assert rates.looks(Noise(), 20, service=ROLLOUT, change=BREAKS[name]).failed == 1.0


@pytest.mark.parametrize("q", [0.95, 0.99])
def test_latency_ten_times_as_high_from_the_middle_fails(q: float) -> None:
    factor = np.where(np.arange(STEPS) < STEPS // 2, 1.0, 10.0)
    assert rates.quantile(q, Noise(), factor, 50).failed >= 0.97


@pytest.mark.parametrize("name", ONE_SIDED)
def test_incidents_in_one_variant_rarely_decide(name: str) -> None:
    noise = ONE_SIDED[name]
    failed = rates.share(rates.ours, noise, RUNS, service=ROLLOUT)
    passed = rates.share(rates.passes, noise, RUNS, service=ROLLOUT, effect=rates.MARGIN, seed=2)
    assert max(failed, passed) <= limit(0.10)


@pytest.mark.parametrize("name", BLIND_SPOTS)
def test_moves_that_a_histogram_cannot_see_are_not_judged(name: str) -> None:
    spot = BLIND_SPOTS[name]
    found = rates.quantile_of(spot.q, spot.pairs(50))
    assert found.failed <= limit(FALSE_FAIL, 50)
    assert spot.baseline == spot.candidate or found.passed == 0.0


@pytest.mark.parametrize("q", [0.95, 0.99])
def test_a_candidate_slower_by_the_margin_rarely_passes(q: float) -> None:
    for bounds in (NARROW, BOUNDS):
        found = rates.quantile(q, LATENCY_NOISE, 1 + rates.SLOWER, 200, bounds=bounds)
        assert found.passed <= limit(FALSE_PASS, 200)


def test_equal_latencies_pass_if_the_buckets_are_narrow() -> None:
    assert rates.quantile(0.95, LATENCY_NOISE, 1.0, 100, bounds=NARROW).passed > 0.5


@pytest.mark.parametrize("q", [0.95, 0.99])
def test_without_a_difference_latency_rarely_fails(q: float) -> None:
    assert rates.quantile(q, LATENCY_NOISE, 1.0, 200, bounds=NARROW).failed <= limit(FALSE_FAIL, 200)


def test_looking_after_every_block_does_not_raise_the_error_of_the_sequence() -> None:
    found = rates.looks(Noise(own=0.5, own_memory=0.6), 100)
    assert found.failed <= limit(0.05, 100)
    assert found.fixed > found.failed


class TestEachCorrectionIsNeeded:
    """Without any one of the corrections, a limit above does not hold."""

    @pytest.fixture
    def mean_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Leave out the test of a typical block, which would detect a difference too."""
        monkeypatch.setattr(error_ratio, "log_ratios", lambda candidate, baseline: None)

    @pytest.mark.usefixtures("mean_alone")
    def test_pairing_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Incidents that both variants share hide a difference if they are not canceled."""
        noise = SCENARIOS["shared incidents"]
        with_pairing = rates.share(rates.ours, noise, 100, effect=0.003)
        monkeypatch.setattr(error_ratio, "variance_of_sum", unpaired_variance)
        monkeypatch.setattr(error_ratio, "residuals", recording_residuals)
        without_pairing = rates.share(rates.ours, noise, 100, effect=0.003)
        assert with_pairing > 0.9 > 0.6 > without_pairing

    @pytest.mark.usefixtures("mean_alone")
    def test_overdispersion_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(error_ratio, "overdispersion", lambda variance, table: 1.0)
        assert rates.share(rates.ours, SCENARIOS["own bursts"], RUNS) > limit(FALSE_FAIL)

    @pytest.mark.usefixtures("mean_alone")
    def test_autocorrelation_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            autocorrelation, "inflation", lambda values, full: Inflation(len(values), 0.0, 1.0, 39.0)
        )
        assert rates.share(rates.ours, SCENARIOS["own noise, AR .95"], RUNS) > limit(FALSE_FAIL)

    def test_counting_new_series_from_0_is_needed(self) -> None:
        """The series of errors appears with the first errors. If they did not count, they would be lost."""
        values = np.array([3.0, 3.0, 4.0])
        scrapes = SampledSeries({}, np.array([1.0]), np.array([1.0]))
        history = ScrapeHistory(0.0, {("", ""): scrapes})
        assert increments(values, history.starts_at_zero({}, 50.0)).sum() == 4
        assert increments(values, from_zero=False).sum() == 1

    def test_narrow_buckets_are_needed(self) -> None:
        """In wide buckets the linear interpolant alone, which PromQL uses, would often pass."""
        found = rates.quantile(0.95, Noise(), 1 + rates.SLOWER, 100)
        assert found.passed_linear > limit(FALSE_PASS, 100)
        assert found.passed == 0.0


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
