"""Quantiles of histograms, and the factor between two quantiles."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from scipy.stats import pareto

from dualmetrics.experiments.statistics import jackknife, latency, quantiles
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.latency import Latencies

BOUNDS: Array = np.array([0.1, 0.2, 1.0])
COUNTS: Array = np.array([50.0, 20.0, 40.0, 10.0])
"""The example of Prometheus' documentation; the cumulative counts are 50, 70, 110, 120."""


@pytest.mark.parametrize(("q", "expected"), [(0.2, 0.048), (0.5, 0.15), (0.8, 0.72)])
def test_the_linear_interpolant_agrees_with_prometheus(q: float, expected: float) -> None:
    assert float(quantiles.linear_quantile(quantiles.locate_bucket(q, BOUNDS, COUNTS))) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("interpolant", [quantiles.linear_quantile, quantiles.tail_quantile])
def test_a_quantile_above_all_bounds_is_not_identified(interpolant: latency.Interpolant) -> None:
    """Prometheus returns 1, the highest bound."""
    found = quantiles.locate_bucket(0.99, BOUNDS, COUNTS)
    assert float(found.low) == 1.0
    assert np.isinf(interpolant(found))


def test_the_tail_interpolant_is_exact_for_a_pareto_tail() -> None:
    bounds = np.array([1.0, 2.0, 5.0, 20.0])
    shares = np.diff(np.concatenate(([0.0], pareto.cdf(bounds, 1.7), [1.0])))
    for q in (0.3, 0.8, 0.95, 0.99):
        found = quantiles.locate_bucket(q, bounds, shares * 1e6)
        assert float(quantiles.tail_quantile(found)) == pytest.approx(float(pareto.ppf(q, 1.7)), rel=1e-6)
        assert float(quantiles.linear_quantile(found)) > float(quantiles.tail_quantile(found)) * 1.001


def test_in_the_first_bucket_and_with_nothing_above_both_interpolants_are_linear() -> None:
    for q, counts in (
        (0.9, [10.0, 80.0, 10.0, 0.0]),
        (0.05, [10.0, 80.0, 10.0, 1.0]),
        (0.95, [1.0, 1.0, 98.0, 0.0]),
    ):
        found = quantiles.locate_bucket(q, BOUNDS, np.array(counts))
        if found.above_high == 0 or found.low == 0:
            assert quantiles.tail_quantile(found) == quantiles.linear_quantile(found)


def test_the_jackknife_variance_of_a_mean_is_the_variance_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(size=30)
    means = jackknife.left_out(values) / 29
    variance = float(np.sum(jackknife.influences(means) ** 2))
    assert variance == pytest.approx(float(values.var(ddof=1)) / 30)


def histograms(counts: list[float], blocks: int = 40) -> Latencies:
    rows = np.random.default_rng(2).poisson(counts, (blocks, len(counts)))
    return Latencies(BOUNDS, rows.astype(float))


def test_the_effect_has_the_bucket_and_the_hard_bounds() -> None:
    found = latency.latency_effect(histograms([50, 40, 9.5, 0.5]), histograms([50, 45, 4.5, 0.5]), 0.97)
    assert found.baseline == (0.2, 1.0)
    assert found.hard_bounds == pytest.approx((0.2, 5.0))
    assert found.interval(0.05)[0] < found.values[1] / found.values[0] < found.interval(0.05)[1]


def test_a_quantile_above_all_bounds_neither_passes_nor_fails() -> None:
    found = latency.latency_effect(histograms([50, 20, 10, 20]), histograms([50, 20, 10, 20]), 0.99)
    assert not found.identified
    assert found.p_beyond(0.1) == 1.0
    assert found.p_worse(enough=True) == 1.0


def test_both_interpolants_must_be_within_the_margin() -> None:
    found = latency.latency_effect(histograms([50, 40, 9, 1]), histograms([50, 40, 9, 1]), 0.95)
    assert found.linear is not None
    assert found.tail is not None
    limits = [each.p_below(log(5.5)) for each in (found.linear, found.tail)]
    assert found.p_beyond(4.5) == max(limits)


def test_a_margin_that_a_bucket_can_hide_is_never_passed() -> None:
    found = latency.latency_effect(histograms([50, 40, 9, 1]), histograms([50, 40, 9, 1]), 0.95)
    assert found.hard_bounds == pytest.approx((0.2, 5.0))
    assert found.p_beyond(3.9) == 1.0
    assert found.p_beyond(4.0) < 0.001


def test_a_move_across_one_bound_is_not_surely_slower_but_one_across_a_whole_bucket_is() -> None:
    base = histograms([94, 3, 2, 1])
    across_one, across_a_bucket = histograms([90, 9, 0.5, 0.5]), histograms([90, 1, 8, 1])
    assert base.bucket(0.95) == (0.1, 0.2)
    beyond = latency.latency_effect(across_a_bucket, histograms([97, 2, 0.5, 0.5]), 0.95)
    assert beyond.hard_bounds[0] > 1
    assert beyond.p_worse(enough=True) < 0.001
    near = latency.latency_effect(across_one, histograms([96, 3, 0.5, 0.5]), 0.95)
    assert near.hard_bounds[0] == 1.0
    assert near.p_worse(enough=True) == 1.0


def test_the_bounds_that_would_help_are_as_far_apart_as_the_margin() -> None:
    found = latency.latency_effect(histograms([50, 40, 9, 1]), histograms([50, 40, 9, 1]), 0.95)
    below, above = found.helpful_bounds(0.1)
    assert below < found.values[0] < above
    assert above / below == pytest.approx(1.1)


def test_latency_that_rises_midway_is_a_break() -> None:
    base = histograms([960, 39, 0.5, 0.5])
    slower = base.counts.copy()
    slower[20:] = [600, 100, 100, 200]
    assert latency.latency_effect(Latencies(BOUNDS, slower), base, 0.95).p_worse(enough=False) == 0.0
    assert latency.latency_effect(base, base, 0.95).breaks is None
