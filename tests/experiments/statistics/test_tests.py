"""The sample ratio, the correction for several tests, critical values, and blocks."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy.stats import norm, t
from statsmodels.stats.multitest import multipletests

from dualmetrics.experiments.statistics import autocorrelation, error_ratio, multiplicity
from dualmetrics.experiments.statistics.arrays import merge_neighbors
from dualmetrics.experiments.statistics.critical import AnyLook, OneLook
from dualmetrics.experiments.statistics.sample_ratio import sample_ratio_mismatch


def test_the_published_example_of_a_sample_ratio_mismatch() -> None:
    found = sample_ratio_mismatch(np.array([44_000.0]), np.array([45_000.0]), 0.5)
    assert found.chi2 == pytest.approx(11.236, abs=0.0005)
    assert found.p == pytest.approx(0.0008, abs=0.00005)
    assert found.found


def test_bursts_of_traffic_are_not_a_mismatch() -> None:
    rng = np.random.default_rng(5)
    even, bursts = np.full(40, 1100.0), rng.gamma(2, 540, 40)
    assert not sample_ratio_mismatch(bursts, even, 0.5).found
    assert sample_ratio_mismatch(np.array([bursts.sum()]), np.array([even.sum()]), 0.5).found


@pytest.mark.server  # statsmodels is slow
def test_holms_adjusted_p_values_agree_with_statsmodels() -> None:
    rng = np.random.default_rng(1)
    for size in rng.integers(1, 6, 30):
        p_values = rng.uniform(size=size) ** 3
        assert multiplicity.holm(list(p_values)) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holms_correction_of_no_p_values_is_empty() -> None:
    assert multiplicity.holm([]) == []


def test_one_look_is_students_t() -> None:
    assert OneLook().critical_value(0.05, 9) == pytest.approx(1.833, abs=0.001)
    assert OneLook().critical_value(0.05, inf) == pytest.approx(1.645, abs=0.001)
    assert OneLook().p_value(1.833, 9) == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize("df", [9.0, 39.0, inf])
@pytest.mark.parametrize("fraction", [0.25, 0.6, 1.0])
def test_the_p_value_of_a_critical_value_is_alpha(fraction: float, df: float) -> None:
    for alpha in (0.2, 0.05, 0.01, 0.001):
        assert AnyLook(fraction).p_value(AnyLook(fraction).critical_value(alpha, df), df) == pytest.approx(
            alpha
        )
    assert AnyLook(fraction).p_value(-1.0, df) == 1.0
    assert AnyLook(fraction).p_value(0.0, df) == 1.0
    assert AnyLook(fraction).p_value(200.0, inf) == 0.0


def test_a_sequence_of_looks_needs_larger_critical_values() -> None:
    assert all(AnyLook(fraction).critical_value(0.05, inf) > 1.9 for fraction in (0.25, 0.5, 1.0))
    assert AnyLook(1.0).critical_value(0.05, inf) < AnyLook(0.25).critical_value(0.05, inf)


def test_a_brownian_motion_rarely_crosses_the_boundary() -> None:
    rng = np.random.default_rng(11)
    steps = rng.normal(size=(4000, 40)).cumsum(axis=1) / np.sqrt(np.arange(1, 41))
    boundary = np.array([AnyLook(at / 40).critical_value(0.05, inf) for at in range(1, 41)])
    crossed = (steps[:, 9:] > boundary[9:]).any(axis=1).mean()
    naive = (steps[:, 9:] > norm.isf(0.05)).any(axis=1).mean()
    assert crossed <= 0.05
    assert naive > 0.1


def test_the_inflation_follows_the_formula() -> None:
    values = np.array([1.0, 1.0, -1.0, -1.0] * 10)
    found = autocorrelation.inflation(values)
    r1 = autocorrelation.lag1(values)
    assert found.r == pytest.approx(max(0.0, r1 + (1 + 3 * r1) / 40))
    assert found.k == pytest.approx((1 + found.r) / (1 - found.r))
    assert found.df == pytest.approx(39 / found.k)
    assert autocorrelation.inflation(np.zeros(40)).r == pytest.approx(1 / 40)


def test_blocks_that_are_similar_to_their_neighbors_are_merged() -> None:
    slow = np.repeat(np.random.default_rng(4).normal(size=10), 4)
    tables, found = autocorrelation.merge_correlated_blocks(
        (slow,), merge_neighbors, lambda tables: tables[0]
    )
    assert len(tables[0]) == found.blocks < 40
    assert tables[0].sum() == pytest.approx(slow.sum())


def test_merging_an_odd_number_of_blocks_loses_nothing() -> None:
    assert merge_neighbors(np.array([1.0, 2, 3, 4, 5])).tolist() == [3, 12]


def test_errors_in_bursts_count_for_less() -> None:
    rng = np.random.default_rng(9)
    requests = np.full(40, 1000.0)
    alone = error_ratio.Counts(rng.poisson(10, 40).astype(float), requests)
    errors = rng.poisson(10, 40) * rng.choice([0.0, 4.0], 40, p=[0.75, 0.25])
    bursts = error_ratio.Counts(errors.astype(float), requests)
    assert error_ratio.error_ratio_effect(alone, alone).phi == 1.0
    found = error_ratio.error_ratio_effect(bursts, alone)
    assert found.phi > 5
    assert found.effective.n1 == pytest.approx(40_000 / found.phi)


def test_without_any_error_there_is_no_effect_and_the_limit_is_finite() -> None:
    counts = error_ratio.Counts(np.zeros(40), np.full(40, 500.0))
    found = error_ratio.error_ratio_effect(counts, counts)
    assert found.p_worse(enough=True) == 1.0
    low, high = found.interval(0.05)
    assert low <= 0 < high < 0.001
    assert high == pytest.approx(float(t.isf(0.05, found.inflation.df)) ** 2 / 20_000, rel=0.05)
