"""Simulated gates on other metrics than errors and latency, several gates, several variants, and ramps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.factor_gates import level_gate, rate_gate
from dualmetrics.experiments.gates import Aim, Gate, Margins, Rules
from dualmetrics.experiments.ramps import RampStep, step_strata, stratum_weights
from dualmetrics.experiments.share_gates import share_gate
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS
from dualmetrics.experiments.statistics.critical import ONE_LOOK
from dualmetrics.experiments.statistics.error_ratio import Counts
from dualmetrics.experiments.statistics.rate_ratio import Amounts
from dualmetrics.experiments.verdict import Verdict, decide
from tests.experiments.simulation import errors
from tests.experiments.simulation.errors import ROLLOUT, Service, in_blocks
from tests.experiments.simulation.noise import STEPS, Noise, factors, traffic

RULES = Rules(Margins(), ONE_LOOK)
MARGIN = 0.05
"""Of rates: five percent."""
RATE_NOISE = {
    "independent": Noise(),
    "shared noise": Noise(shared=0.3),
    "own noise, AR .8": Noise(own=0.1, own_memory=0.8),
    "own noise, AR .95": Noise(own=0.1, own_memory=0.95),
    "own noise, AR .99": Noise(own=0.1, own_memory=0.99),
    "own noise, AR .997": Noise(own=0.1, own_memory=0.997),
    "own bursts": Noise(bursts=6.0),
}
CONVERSIONS = Service(0.03, 600.0)
"""Of which three percent succeed."""


class Shares(NamedTuple):
    """The shares of experiments with each verdict."""

    failed: float
    passed: float


def shares(results: Iterable[Sequence[Gate]], alpha: float = RULES.alpha) -> Shares:
    """Count the verdicts about the gates of many experiments."""
    verdicts = [decide(gates, (), alpha) for gates in results]
    return Shares(*(verdicts.count(each) / len(verdicts) for each in (Verdict.FAIL, Verdict.PASS)))


def rates(noise: Noise, factor: float | Array, aim: Aim, runs: int, seed: int = 1) -> Iterator[list[Gate]]:
    """Judge the mean of a value whose standard deviation is that of an exponential distribution."""
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        n0, n1 = traffic(noise, 600.0, rng)
        f0, f1 = factors(noise, rng)
        baseline, candidate = _amounts(n0, f0, rng), _amounts(n1, f1 * factor, rng)
        yield [rate_gate("mean", baseline, candidate, aim, RULES)]


def _amounts(units: Array, mean: Array, rng: np.random.Generator) -> Amounts:
    amount = rng.gamma(np.maximum(units, 1e-9)) * mean
    return Amounts(*(each.reshape(MAX_BLOCKS, -1).sum(axis=1) for each in (amount, units)))


def conversions(noise: Noise, effect: float, aim: Aim, runs: int, seed: int = 1) -> Iterator[list[Gate]]:
    """Judge the share of orders, of which more are better."""
    for candidate, baseline in errors.pairs(noise, effect, runs, seed, CONVERSIONS):
        yield [share_gate("orders", in_blocks(baseline), in_blocks(candidate), aim, RULES)]


def memory(noise: Noise, factor: float | Array, runs: int, seed: int = 1) -> Iterator[list[Gate]]:
    """Judge the use of memory, which drifts. Processes of one version differ by 1 % all the time."""
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        levels = [each * np.exp(rng.normal(0, 0.01)) for each in factors(noise, rng)]
        blocks = [each.reshape(MAX_BLOCKS, -1).mean(axis=1) for each in (levels[0], levels[1] * factor)]
        yield [level_gate("memory", blocks[0], blocks[1], Aim(0.1), RULES)]


def many_gates(effects: Sequence[float], runs: int, noise: Noise, seed: int = 1) -> Iterator[list[Gate]]:
    """Judge a share for each effect, each with noise of its own."""
    pairs = [
        errors.pairs(noise, effect, runs, seed + number, ROLLOUT) for number, effect in enumerate(effects)
    ]
    for experiment in zip(*pairs, strict=True):
        yield [
            share_gate(f"{number}", in_blocks(baseline), in_blocks(candidate), Aim(0.001), RULES)
            for number, (candidate, baseline) in enumerate(experiment)
        ]


def several_candidates(
    effects: Sequence[float], runs: int, noise: Noise, seed: int = 1
) -> Iterator[list[Verdict]]:
    """Judge a candidate for each effect, all against one baseline, at alpha divided by their number."""
    alpha = RULES.alpha / len(effects)
    rules = Rules(Margins(alpha=alpha), ONE_LOOK)
    pairs = [
        errors.pairs(noise, effect, runs, seed + number, ROLLOUT) for number, effect in enumerate(effects)
    ]
    for experiment in zip(*pairs, strict=True):
        baseline = in_blocks(experiment[0][1])
        gates = [
            share_gate("errors", baseline, in_blocks(candidate), Aim(0.001), rules)
            for candidate, _ in experiment
        ]
        yield [decide([gate], (), alpha) for gate in gates]


RAMP = (RampStep(0.01, 160.0), RampStep(0.1, 160.0), RampStep(0.5, 160.0))
"""Three steps of equal length. The unit of time is a step of the simulation."""
EDGES: Array = np.linspace(0, STEPS, MAX_BLOCKS + 1)


def ramp(
    noise: Noise, effect: float, runs: int, *, stratified: bool, level: Array | float = 1.0, seed: int = 1
) -> Iterator[list[Gate]]:
    """Judge errors while the split moves, and the error ratio of both variants by the factors ``level``."""
    rng = np.random.default_rng(seed)
    shares_of_steps = np.repeat([step.share for step in RAMP], STEPS // len(RAMP))
    for _ in range(runs):
        f0, f1 = factors(noise, rng)
        n1, n0 = (rng.poisson(1200 * share).astype(float) for share in (shares_of_steps, 1 - shares_of_steps))
        x0, x1 = (
            rng.binomial(n.astype(int), np.clip(rate, 0, 1)).astype(float)
            for n, rate in ((n0, 0.005 * f0 * level), (n1, (0.005 * f1 * level) + effect))
        )
        baseline, candidate = in_blocks(Counts(x0, n0)), in_blocks(Counts(x1, n1))
        yield [_ramp_gate(baseline, candidate, stratified=stratified)]


def _ramp_gate(baseline: Counts, candidate: Counts, *, stratified: bool) -> Gate:
    if not stratified:
        return share_gate("errors", baseline, candidate, Aim(0.001), RULES)
    strata = step_strata(RAMP, EDGES, slack=1.0)
    w0, w1 = stratum_weights(baseline.requests, candidate.requests, strata)
    weighted = (
        Counts(baseline.errors * w0, baseline.requests * w0),
        Counts(candidate.errors * w1, candidate.requests * w1),
    )
    return share_gate("errors", *weighted, Aim(0.001), Rules(Margins(), ONE_LOOK, stratified=True))
