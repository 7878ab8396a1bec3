"""What the verdict on errors rests on: typical blocks, breaks, and a handful of incidents."""

from __future__ import annotations

import numpy as np
import pytest

from dualmetrics.experiments.statistics import breaks, incidents, typical_block
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.critical import ONE_LOOK, AnyLook
from dualmetrics.experiments.statistics.error_ratio import Counts, error_ratio_effect

REQUESTS: Array = np.full(40, 1000.0)
EVEN: Array = np.tile([4.0, 6.0], 20)


def with_errors(at: slice, errors: float) -> Array:
    changed = EVEN.copy()
    changed[at] = errors
    return changed


def p_worse(candidate: Array, baseline: Array) -> float:
    effect = error_ratio_effect(Counts(candidate, REQUESTS), Counts(baseline, REQUESTS))
    return effect.p_worse(enough=effect.inflation.enough)


@pytest.mark.parametrize("at", [slice(20, 40), slice(30, 40), slice(10, 20), slice(18, 21)])
def test_a_candidate_that_breaks_is_worse_whenever_it_breaks(at: slice) -> None:
    assert p_worse(with_errors(at, 1000.0), EVEN) == 0.0
    assert p_worse(EVEN, with_errors(at, 1000.0)) > 0.5


def test_a_leak_is_a_break_although_its_blocks_are_alike() -> None:
    leak = EVEN + np.linspace(0, 200, 40)
    effect = error_ratio_effect(Counts(leak, REQUESTS), Counts(EVEN, REQUESTS))
    assert not effect.inflation.enough
    assert effect.p_worse(enough=False) == 0.0


def test_a_break_within_the_margin_does_not_count() -> None:
    effect = error_ratio_effect(Counts(with_errors(slice(20, 40), 40.0), REQUESTS), Counts(EVEN, REQUESTS))
    assert effect.breaks is not None
    assert effect.p_worse(enough=False, margin=0.001) == 0.0
    assert effect.p_worse(enough=False, margin=0.5) > 0.0


def test_a_baseline_that_varies_as_much_explains_the_candidate() -> None:
    wild = np.repeat([1.0, 30.0, 2.0, 60.0, 4.0, 90.0, 3.0, 50.0, 1.0, 20.0], 4)
    pair = (wild[::-1] * 2, REQUESTS), (wild, REQUESTS)
    assert breaks.error_break(*pair, ONE_LOOK) is None


def test_repeated_looks_need_a_larger_break() -> None:
    pair = (with_errors(slice(20, 40), 15.0), REQUESTS), (EVEN, REQUESTS)
    assert breaks.error_break(*pair, ONE_LOOK) == pytest.approx(2.0, rel=0.05)
    assert breaks.error_break(*pair, AnyLook(0.9)) is None


def test_bursts_in_both_variants_do_not_hide_a_worse_typical_block() -> None:
    rng = np.random.default_rng(3)
    bursts = rng.choice([0.0, 150.0], (2, 40), p=[0.85, 0.15])
    candidate, baseline = rng.poisson(12, 40) + 2 * bursts[0], rng.poisson(4, 40) + bursts[1]
    assert p_worse(candidate, baseline) < 0.01
    assert p_worse(baseline, candidate) > 0.9


def test_series_that_drift_have_no_typical_block() -> None:
    rng = np.random.default_rng(5)
    steps = rng.normal(size=(100, 2, 40))
    assert sum(typical_block.LogRatios(*pair).drift() for pair in steps) <= 5
    assert sum(typical_block.LogRatios(*pair).drift() for pair in steps.cumsum(axis=2)) >= 85


def test_drift_that_both_variants_share_cancels() -> None:
    rng = np.random.default_rng(6)
    shared = np.exp(np.linspace(0, 3, 40))
    errors = [rng.poisson(10 * shared).astype(float) for _ in range(2)]
    found = typical_block.log_ratios((errors[0], REQUESTS), (errors[1], REQUESTS))
    assert found is not None
    assert (found.drift(), found.differences_drift()) == (True, False)


def test_few_errors_have_no_typical_block() -> None:
    few: Array = np.tile([1.0, 3.0], 20)
    assert typical_block.log_ratios((few, REQUESTS), (EVEN, REQUESTS)) is None
    assert typical_block.log_ratios((EVEN[:10], REQUESTS[:10]), (EVEN[:10], REQUESTS[:10])) is None
    assert typical_block.log_ratios((EVEN, REQUESTS), (EVEN, np.append(REQUESTS[1:], 0.0))) is None


def test_an_incident_of_one_variant_widens_what_may_be_true() -> None:
    one = with_errors(slice(10, 12), 80.0)
    candidate, baseline = incidents.allowances((one, REQUESTS), (EVEN, REQUESTS))
    assert candidate == pytest.approx(4 * 2 * 75 / 40_000, rel=0.1)
    assert baseline == 0.0
    assert incidents.allowances((one, REQUESTS), (one[::-1], REQUESTS)) == pytest.approx((0.0, 0.0))
    assert incidents.worst_incident(EVEN, REQUESTS) == 0.0


def test_a_verdict_that_rests_on_one_incident_is_withheld() -> None:
    """Without its one incident the baseline is better. With more like it, the baseline would be worse."""
    rng = np.random.default_rng(8)
    candidate, baseline = rng.poisson(10, 40).astype(float), rng.poisson(4, 40).astype(float)
    baseline[10:12] += 60
    assert p_worse(candidate, baseline) == 1.0
    assert p_worse(candidate, np.where(baseline > 30, 4.0, baseline)) < 0.001


def test_a_pass_that_rests_on_few_incidents_is_withheld() -> None:
    candidate = with_errors(slice(10, 12), 60.0)
    effect = error_ratio_effect(Counts(candidate, REQUESTS), Counts(EVEN + 2, REQUESTS))
    assert effect.table.estimate < 0.005 < effect.table.estimate + effect.more_candidate
    assert effect.p_beyond(0.005) == 1.0
