"""How often each rule reaches each result, over many simulated experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import log
from typing import NamedTuple

from scipy.stats import norm

from dualmetrics.experiments.statistics import error_ratio, latency
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.critical import ONE_LOOK, AnyLook, CriticalValues
from dualmetrics.experiments.statistics.error_ratio import Counts
from dualmetrics.experiments.statistics.latency import Latencies
from tests.experiments.simulation import errors, kayenta, latencies
from tests.experiments.simulation.errors import Service
from tests.experiments.simulation.latencies import Shape
from tests.experiments.simulation.noise import Change, Noise

ALPHA = 0.05
MARGIN = 0.001
SLOWER = 0.10

Rule = Callable[[Counts, Counts], bool]


def judge(candidate: Counts, baseline: Counts, critical: CriticalValues = ONE_LOOK) -> tuple[bool, bool]:
    """Return whether the gate of the error ratio fails, and whether it passes."""
    effect = error_ratio.error_ratio_effect(candidate, baseline, critical)
    enough = effect.inflation.enough
    within = enough and effect.p_beyond(MARGIN) <= ALPHA
    return not within and effect.p_worse(enough=enough, margin=MARGIN) <= ALPHA, within


def ours(candidate: Counts, baseline: Counts) -> bool:
    """Return whether the gate of the error ratio is surely worse."""
    return judge(errors.in_blocks(candidate), errors.in_blocks(baseline))[0]


def passes(candidate: Counts, baseline: Counts) -> bool:
    """Return whether the gate of the error ratio is within its margin."""
    return judge(errors.in_blocks(candidate), errors.in_blocks(baseline))[1]


def plain(candidate: Counts, baseline: Counts) -> bool:
    """Return whether the z-test of a textbook rejects. It assumes that all requests are independent."""
    p1, p0 = candidate.ratio, baseline.ratio
    n1, n0 = candidate.requests.sum(), baseline.requests.sum()
    p = (p1 * n1 + p0 * n0) / (n1 + n0)
    error = (p * (1 - p) * (1 / n1 + 1 / n0)) ** 0.5
    return bool(error > 0 and (p1 - p0) / error > norm.isf(ALPHA))


def in_forty(rule: Rule) -> Rule:
    """Return a rule that uses 40 steps instead of 480, as a canary judge would."""
    return lambda candidate, baseline: rule(errors.in_blocks(candidate), errors.in_blocks(baseline))


RULES: dict[str, Rule] = {
    "dualmetrics": ours,
    "plain z": plain,
    "Mann-Whitney": in_forty(kayenta.mann_whitney),
    "Kayenta": in_forty(kayenta.fails),
}


def share(
    rule: Rule,
    noise: Noise,
    runs: int,
    *,
    effect: float = 0.0,
    seed: int = 1,
    service: Service | None = None,
    change: Change | None = None,
) -> float:
    """Return the share of experiments in which a rule holds."""
    return sum(rule(*pair) for pair in errors.pairs(noise, effect, runs, seed, service, change)) / runs


class Looks(NamedTuple):
    """The shares of experiments with a result at any of the looks, one after each block from the tenth on."""

    fixed: float
    """Called worse by the test for a single look."""
    failed: float
    """Called worse by the sequence."""
    passed: float
    """Called within the margin by the sequence."""


def looks(
    noise: Noise,
    runs: int,
    *,
    effect: float = 0.0,
    seed: int = 3,
    service: Service | None = None,
    change: Change | None = None,
) -> Looks:
    """Simulate experiments that are looked at after every block."""
    pairs = errors.pairs(noise, effect, runs, seed, service, change)
    results = [_look_after_each_block(*pair) for pair in pairs]
    fixed, failed, passed = (sum(column) / runs for column in zip(*results, strict=True))
    return Looks(fixed, failed, passed)


def _look_after_each_block(candidate: Counts, baseline: Counts) -> tuple[bool, bool, bool]:
    fixed = failed = passed = False
    for part, fraction in _growing_parts(errors.in_blocks(candidate), errors.in_blocks(baseline)):
        fails, within = judge(*part, AnyLook(fraction))
        fixed |= judge(*part)[0]
        failed |= fails
        passed |= within
    return fixed, failed, passed


def _growing_parts(candidate: Counts, baseline: Counts) -> Iterator[tuple[tuple[Counts, Counts], float]]:
    blocks = len(candidate.errors)
    for end in range(MIN_BLOCKS, blocks + 1):
        parts = [Counts(each.errors[:end], each.requests[:end]) for each in (candidate, baseline)]
        yield (parts[0], parts[1]), end / blocks


class Quantile(NamedTuple):
    """The shares of experiments in which a latency gate reaches each result."""

    failed: float
    passed: float
    passed_tail: float
    """Passed by the tail interpolant alone, if the width of the buckets did not matter."""
    passed_linear: float
    """The same for the linear interpolant, which `histogram_quantile` uses."""


def quantile(
    q: float,
    noise: Noise,
    factor: float | Array,
    runs: int,
    shape: Shape | None = None,
    seed: int = 1,
    bounds: Array = latencies.BOUNDS,
) -> Quantile:
    """Simulate the gate of a quantile. The true effect is ``factor``, or one for each step."""
    return quantile_of(q, latencies.pairs(noise, factor, runs, seed, shape, bounds))


def quantile_of(q: float, pairs: Iterable[tuple[Latencies, Latencies]]) -> Quantile:
    """Judge the gate of a quantile for each pair of candidate and baseline."""
    results = [_judge(q, *pair) for pair in pairs]
    return Quantile(*(sum(column) / len(results) for column in zip(*results, strict=True)))


def _judge(q: float, candidate: Latencies, baseline: Latencies) -> tuple[bool, ...]:
    effect = latency.latency_effect(candidate, baseline, q)
    enough = effect.tail is not None and effect.tail.inflation.enough
    passed = enough and effect.p_beyond(SLOWER) <= ALPHA
    failed = not passed and effect.p_worse(enough=enough) <= ALPHA
    if effect.linear is None or effect.tail is None or not enough:
        return failed, False, False, False
    within = [ratio.p_below(log(1 + SLOWER)) <= ALPHA for ratio in (effect.linear, effect.tail)]
    return failed, passed, within[1], within[0]
