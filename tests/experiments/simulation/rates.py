"""How often the rules say what, over many simulated experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log
from typing import NamedTuple

from scipy.stats import norm

from dualmetrics.experiments.statistics import error_ratio, latency
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.critical import AnyLook
from dualmetrics.experiments.statistics.error_ratio import Counts
from tests.experiments.simulation import errors, kayenta, latencies
from tests.experiments.simulation.latencies import Shape
from tests.experiments.simulation.noise import Noise

ALPHA = 0.05
MARGIN = 0.001
SLOWER = 0.10

Rule = Callable[[Counts, Counts], bool]


def ours(candidate: Counts, baseline: Counts) -> bool:
    """The gate of the error ratio: surely worse."""
    found = error_ratio.error_ratio_effect(errors.in_blocks(candidate), errors.in_blocks(baseline))
    return found.inflation.enough and found.p_worse() <= ALPHA


def passes(candidate: Counts, baseline: Counts) -> bool:
    """The gate of the error ratio: within the margin."""
    found = error_ratio.error_ratio_effect(errors.in_blocks(candidate), errors.in_blocks(baseline))
    return found.inflation.enough and found.p_beyond(MARGIN) <= ALPHA


def plain(candidate: Counts, baseline: Counts) -> bool:
    """The z-test of a textbook: all requests independent."""
    p1, p0 = candidate.ratio, baseline.ratio
    n1, n0 = candidate.requests.sum(), baseline.requests.sum()
    p = (p1 * n1 + p0 * n0) / (n1 + n0)
    error = (p * (1 - p) * (1 / n1 + 1 / n0)) ** 0.5
    return bool(error > 0 and (p1 - p0) / error > norm.isf(ALPHA))


def in_forty(rule: Rule) -> Rule:
    """A rule on the values of 40 steps rather than of 480, as a canary judge sees them."""
    return lambda candidate, baseline: rule(errors.in_blocks(candidate), errors.in_blocks(baseline))


RULES: dict[str, Rule] = {
    "dualmetrics": ours,
    "plain z": plain,
    "Mann-Whitney": in_forty(kayenta.mann_whitney),
    "Kayenta": in_forty(kayenta.fails),
}


def share(
    rule: Rule, noise: Noise, runs: int, *, p: float = 0.01, effect: float = 0.0, seed: int = 1
) -> float:
    """How often a rule holds."""
    return sum(rule(*pair) for pair in errors.pairs(noise, p, effect, runs, seed)) / runs


class Looks(NamedTuple):
    """What peeking after every block from the tenth on comes to, at any of the looks."""

    fixed: float
    failed: float
    passed: float


def looks(noise: Noise, runs: int, *, effect: float = 0.0, seed: int = 3) -> Looks:
    """The shares of experiments that a fixed-sample test, and the sequence, would call worse or within."""
    found = [_looked(*pair) for pair in errors.pairs(noise, 0.01, effect, runs, seed)]
    fixed, failed, passed = (sum(column) / runs for column in zip(*found, strict=True))
    return Looks(fixed, failed, passed)


def _looked(candidate: Counts, baseline: Counts) -> tuple[bool, bool, bool]:
    fixed = failed = passed = False
    for part, until in _growing(errors.in_blocks(candidate), errors.in_blocks(baseline)):
        found = error_ratio.error_ratio_effect(*part, AnyLook(until))
        enough = found.inflation.enough
        fixed |= enough and error_ratio.error_ratio_effect(*part).p_worse() <= ALPHA
        failed |= enough and found.p_worse() <= ALPHA
        passed |= enough and found.p_beyond(MARGIN) <= ALPHA
    return fixed, failed, passed


def _growing(candidate: Counts, baseline: Counts) -> Iterator[tuple[tuple[Counts, Counts], float]]:
    blocks = len(candidate.errors)
    for end in range(MIN_BLOCKS, blocks + 1):
        parts = [Counts(each.errors[:end], each.requests[:end]) for each in (candidate, baseline)]
        yield (parts[0], parts[1]), end / blocks


class Quantile(NamedTuple):
    """How often a gate of a quantile says what."""

    failed: float
    passed: float
    passed_linear: float
    """If only the linear interpolant were asked, as `histogram_quantile` does it."""
    passed_tail: float


def quantile(
    q: float, noise: Noise, factor: float, runs: int, shape: Shape | None = None, seed: int = 1
) -> Quantile:
    """A quantile's gate, at a true ``factor``."""
    found = [_judged(q, *pair) for pair in latencies.pairs(noise, factor, runs, seed, shape)]
    return Quantile(*(sum(column) / runs for column in zip(*found, strict=True)))


def _judged(q: float, candidate: latency.Latencies, baseline: latency.Latencies) -> tuple[bool, ...]:
    found = latency.latency_effect(candidate, baseline, q)
    if found.linear is None or found.tail is None or not found.tail.inflation.enough:
        return False, False, False, False
    within = [each.p_below(log(1 + SLOWER)) <= ALPHA for each in (found.linear, found.tail)]
    return found.p_worse() <= ALPHA, found.p_beyond(SLOWER) <= ALPHA, within[0], within[1]
