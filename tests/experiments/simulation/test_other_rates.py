"""A short form of the simulations of other gates, several gates and variants, and ramps."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from dualmetrics.experiments.gates import Aim
from dualmetrics.experiments.verdict import Verdict
from tests.experiments.simulation import rates
from tests.experiments.simulation.errors import ROLLOUT
from tests.experiments.simulation.noise import ONE_SIDED, SCENARIOS, STEPS, Noise
from tests.experiments.simulation.other_gates import (
    RATE_NOISE,
    conversions,
    many_gates,
    memory,
    ramp,
    several_candidates,
    shares,
)
from tests.experiments.simulation.other_gates import rates as mean_gates

pytestmark = pytest.mark.server  # slow

RUNS = 100
GUARD, UP_GUARD, GOAL = Aim(0.05), Aim(0.05, up_good=True), Aim(0.0, up_good=True, goal=True)
FALSE_FAIL, FALSE_PASS = 0.075, 0.065
FALLING = np.repeat([4.0, 2.0, 1.0], STEPS // 3)


def limit(rate: float, runs: int = RUNS) -> float:
    return rate + 3 * sqrt(rate * (1 - rate) / runs)


@pytest.mark.parametrize("name", RATE_NOISE)
def test_means_rarely_get_a_wrong_verdict(name: str) -> None:
    noise = RATE_NOISE[name]
    for aim, at_the_margin in ((GUARD, 1.05), (UP_GUARD, 0.95), (GOAL, 1.0)):
        assert shares(mean_gates(noise, 1.0, aim, RUNS)).failed <= limit(FALSE_FAIL)
        assert shares(mean_gates(noise, at_the_margin, aim, RUNS, 2)).passed <= limit(FALSE_PASS)


def test_a_mean_that_differs_is_found_in_both_directions() -> None:
    noise = RATE_NOISE["own noise, AR .8"]
    assert shares(mean_gates(noise, 1.1, GUARD, 50)).failed > 0.8
    assert shares(mean_gates(noise, 0.9, UP_GUARD, 50)).failed > 0.8
    assert shares(mean_gates(noise, 1.15, GOAL, 50)).passed > 0.8


@pytest.mark.parametrize("after", [0.1, 0.0])
def test_a_mean_that_collapses_midway_fails(after: float) -> None:
    factor = np.where(np.arange(STEPS) < STEPS // 2, 1.0, after)
    assert shares(mean_gates(Noise(), factor, UP_GUARD, 30)).failed == 1.0
    assert shares(mean_gates(Noise(), 0.0, UP_GUARD, 5)).failed == 1.0


@pytest.mark.parametrize("name", ["independent", "own noise, AR .95", "own bursts"])
def test_shares_that_should_be_high_rarely_get_a_wrong_verdict(name: str) -> None:
    noise = SCENARIOS[name]._replace(own=min(SCENARIOS[name].own, 0.3))
    aim = Aim(0.002, up_good=True)
    assert shares(conversions(noise, 0.0, aim, RUNS)).failed <= limit(FALSE_FAIL)
    assert shares(conversions(noise, -0.002, aim, RUNS, 2)).passed <= limit(FALSE_PASS)
    assert shares(conversions(noise, 0.0, GOAL, RUNS, 4)).passed <= limit(FALSE_PASS)


def test_memory_that_drifts_rarely_fails_and_a_leak_does() -> None:
    noise = Noise(own=0.02, own_memory=0.997)
    assert shares(memory(noise, 1.0, RUNS)).failed <= limit(FALSE_FAIL)
    assert shares(memory(noise, 1.0, RUNS)).passed > 0.8
    assert shares(memory(noise, np.linspace(1, 2, STEPS), 50)).failed == 1.0


@pytest.mark.parametrize("name", ["independent", "own noise, AR .8"])
def test_many_gates_and_many_candidates_do_not_add_up_their_errors(name: str) -> None:
    noise = SCENARIOS[name]
    assert shares(many_gates([0.0] * 5, RUNS, noise)).failed <= limit(FALSE_FAIL)
    assert shares(many_gates([0.0] * 4 + [0.001], RUNS, noise, 50)).passed <= limit(FALSE_PASS)
    for verdict, effect in ((Verdict.FAIL, 0.0), (Verdict.PASS, 0.001)):
        found = [verdict in verdicts for verdicts in several_candidates([effect] * 3, RUNS, noise)]
        assert sum(found) / RUNS <= limit(FALSE_FAIL if verdict is Verdict.FAIL else FALSE_PASS)


@pytest.mark.parametrize("name", ["own noise", "own noise, AR .95"])
def test_a_ramp_while_errors_change_rarely_gets_a_wrong_verdict(name: str) -> None:
    noise = SCENARIOS[name]
    for level in (FALLING, FALLING[::-1]):
        same = shares(ramp(noise, 0.0, RUNS, stratified=True, level=level))
        margin = shares(ramp(noise, 0.001, RUNS, stratified=True, level=level, seed=2))
        assert (same.failed <= limit(FALSE_FAIL), margin.passed <= limit(FALSE_PASS)) == (True, True)


def test_strata_are_needed() -> None:
    """Without them a ramp while errors become more is often called worse."""
    found = shares(ramp(SCENARIOS["own noise"], 0.0, RUNS, stratified=False, level=FALLING[::-1]))
    assert found.failed > 0.5


@pytest.mark.parametrize("name", ["4 bursts of the baseline", "4 bursts of the candidate"])
def test_incidents_in_one_variant_rarely_decide_a_sequence(name: str) -> None:
    found = rates.looks(ONE_SIDED[name], 100, service=ROLLOUT)
    margin = rates.looks(ONE_SIDED[name], 100, service=ROLLOUT, effect=rates.MARGIN, seed=5)
    assert max(found.failed, margin.passed) <= limit(0.10, 100)


def test_noise_that_drifts_rarely_decides_a_sequence() -> None:
    assert rates.looks(SCENARIOS["own noise, AR .997"], 100).failed <= limit(FALSE_FAIL, 100)
