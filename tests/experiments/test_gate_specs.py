"""Gates on other metrics: how they are written, and what they measure. No server is needed."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from dualmetrics.cli.parameter_types import RAMP, SPLITS
from dualmetrics.experiments.common_time import requests_at_common_times
from dualmetrics.experiments.errors import InvalidExperimentError, UsageError
from dualmetrics.experiments.factor_gates import level_gate, quantile_gate, rate_gate
from dualmetrics.experiments.gate_specs import parse_histogram, parse_ratio
from dualmetrics.experiments.gates import Aim, Margins, Rules
from dualmetrics.experiments.increments import IncrementCounter, ScrapeHistory
from dualmetrics.experiments.measurements import VariantMeter, _mean_level
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.ramps import RampStep, split_moves, step_strata, stratum_weights
from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.selectors import Selector, find_metric
from dualmetrics.experiments.several_variants import Variants
from dualmetrics.experiments.sources.collected import Collected
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.critical import ONE_LOOK
from dualmetrics.experiments.statistics.latency import Latencies, latency_effect
from dualmetrics.experiments.statistics.rate_ratio import Amounts

RULES = Rules(Margins(), ONE_LOOK)


def test_a_ratio_may_have_conditions_and_settings() -> None:
    found = parse_ratio(' shop.orders{status=~"fa.*",code!="1,2/3"} / shop_orders , up=good, margin=1%')
    assert found.numerator.name == "shop_orders"
    assert found.numerator.accepts({"status": "failed", "code": "5"})
    assert not found.numerator.accepts({"status": "failed", "code": "1,2/3"})
    assert not found.numerator.accepts({"code": "5"})
    assert (found.denominator, found.aim) == (Selector("shop_orders"), Aim(0.01, up_good=True))


@pytest.mark.parametrize(
    ("aim", "limit", "log_limit"),
    [
        (Aim(0.1), 0.1, log(1.1)),
        (Aim(0.1, up_good=True), 0.1, -log(0.9)),
        (Aim(0.1, goal=True), -0.1, log(0.9)),
        (Aim(0.1, up_good=True, goal=True), -0.1, -log(1.1)),
        (Aim(0.0, goal=True), 0.0, 0.0),
    ],
)
def test_the_limit_is_how_much_worse_the_candidate_may_be(aim: Aim, limit: float, log_limit: float) -> None:
    assert [aim.limit, aim.log_limit] == pytest.approx([limit, log_limit])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "/",
            "a/",
            "a",
            "a/b/c",
            "a b/c",
            'a{x="1}/b',
            "a{x=1}/b",
            "a/b,",
            "a/b,margin",
            "a/b,goal=yes",
        ),
        *("a/b,margin=nan", "a/b,margin=inf", "a/b,margin=-1%", "a/b,margin=0", "a/b,margin=150%"),
        *("a/b,up=good,margin=120%,factor", "a/b,goal,goal", 'a{x=~"("}/b', 'a{x="\\u12"}/b', "a" * 5000),
    ],
)
def test_a_ratio_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ratio(text)


@pytest.mark.parametrize("text", ["", "h,quantile=1", "h,quantile=x", "h,quantile=.5,above=1", "h,above=inf"])
def test_a_histogram_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_histogram(text)


RECORDED = (
    "app_orders_total",
    "app_orders_failed_total",
    "app_latency_seconds",
    "x_jobs_total",
    "y_jobs_total",
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("app_orders_total", "app_orders_total"),
        ("app_orders", "app_orders_total"),
        ("orders", "app_orders_total"),
        ("orders_failed", "app_orders_failed_total"),
        ("x_jobs", "x_jobs_total"),
    ],
)
def test_a_counter_is_found_by_the_name_of_its_instrument(name: str, found: str) -> None:
    assert find_metric(name, RECORDED, "_total") == found


def test_a_histogram_is_found_without_its_unit() -> None:
    assert find_metric("app_latency", RECORDED) == "app_latency_seconds"


@pytest.mark.parametrize(
    ("name", "words"), [("jobs", "x_jobs_total, y_jobs_total"), ("order", "there are app_")]
)
def test_a_name_that_fits_several_metrics_or_none_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_metric(name, RECORDED, "_total")


def meter(**series: list[float]) -> VariantMeter:
    times = np.array([0.0, 10.0, 20.0])
    recorded = {
        name: [SampledSeries({"__name__": name}, times, np.array(values))] for name, values in series.items()
    }
    counter = IncrementCounter(ScrapeHistory(-1.0), np.array([0.0, 10.0, 20.0]))
    return VariantMeter("candidate", VariantSamples([], [], series=recorded), counter)


def test_the_mean_of_a_histogram_is_exact() -> None:
    found = meter(h_sum=[5.0, 9.5, 2.0], h_count=[1.0, 3.0, 1.0]).mean(Selector("h"))
    assert found.tolist() == [[4.5, 2.0], [2.0, 1.0]]


def test_a_histogram_with_negative_values_has_no_mean() -> None:
    with pytest.raises(InvalidExperimentError, match="negative values"):
        meter(h_sum=[5.0, 3.0, 2.0], h_count=[1.0, 3.0, 4.0]).mean(Selector("h"))


def test_native_histograms_have_sums_and_counts() -> None:
    collected = Collected()
    for time, total, count in ((1, "4.5", "3"), (2, "9", "5")):
        histogram = {"sum": total, "count": count, "buckets": [[0, "1", "2", count]]}
        collected.add([{"metric": {"__name__": "d"}, "histograms": [[time, histogram]]}])
    ((sums, counts),) = collected.sums_and_counts()
    assert (sums.values.tolist(), counts.values.tolist()) == ([4.5, 9.0], [3.0, 5.0])


def test_memory_is_the_mean_of_the_targets_that_are_there() -> None:
    edges = np.array([0.0, 10.0, 20.0])
    series = [
        SampledSeries({"instance": "a", "type": "rss"}, np.array([5.0, 15.0]), np.array([100.0, 120.0])),
        SampledSeries({"instance": "a", "type": "swap"}, np.array([5.0, 15.0]), np.array([10.0, 20.0])),
        SampledSeries({"instance": "b"}, np.array([5.0]), np.array([90.0])),
    ]
    assert _mean_level(series, edges).tolist() == [100.0, 140.0]
    assert np.isnan(_mean_level([], edges)).all()


def test_a_level_that_is_unknown_in_a_tenth_of_the_window_is_not_judged() -> None:
    known: Array = np.full(40, 100.0)
    gap = known.copy()
    gap[:5] = np.nan
    assert level_gate("memory", known, known, Aim(0.1), RULES).within
    assert not level_gate("memory", known, gap, Aim(0.1), RULES).within


def test_a_zero_that_was_an_amount_before_fails_only_where_higher_is_better() -> None:
    baseline, nothing = Amounts(np.full(40, 9.0), np.full(40, 3.0)), Amounts(np.zeros(40), np.full(40, 3.0))
    assert rate_gate("x", baseline, nothing, Aim(0.1, up_good=True), RULES).p_worse == 0.0
    assert rate_gate("x", baseline, nothing, Aim(0.1), RULES).p_worse == 1.0


def test_a_quantile_that_should_be_high_is_judged_in_the_other_direction() -> None:
    bounds: Array = 2.0 ** np.arange(0, 6, 0.05)
    rng = np.random.default_rng(1)

    def values(mean: float) -> Latencies:
        return Latencies(bounds, np.array([_counts(rng.normal(mean, 2, 500), bounds) for _ in range(40)]))

    aim = Aim(0.2, up_good=True)
    lower = quantile_gate("p50", 0.5, values(20.0), values(12.0), aim, RULES, "number")
    higher = quantile_gate("p50", 0.5, values(20.0), values(30.0), aim, RULES, "number")
    assert (lower.p_worse < 0.001, lower.within) == (True, False)
    assert lower.effect == pytest.approx(0.6, rel=0.05)
    assert (higher.p_worse > 0.9, higher.within) == (True, True)
    collapsed = Latencies(bounds, np.concatenate([values(20.0).counts[:20], values(2.0).counts[:20]]))
    assert quantile_gate("p50", 0.5, values(20.0), collapsed, aim, RULES, "number").p_worse == 0.0


def _counts(values: Array, bounds: Array) -> Array:
    return np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1).astype(float)


def test_blocks_where_the_split_moves_belong_to_no_step() -> None:
    ramp = (RampStep(0.01, 25.0), RampStep(0.5))
    assert step_strata(ramp, np.arange(0.0, 61.0, 10.0), slack=4.0).tolist() == [0, 0, -1, 1, 1, 1]


def test_strata_give_both_variants_the_same_distribution_over_time() -> None:
    strata = np.array([0, 0, 1, 1, -1])
    baseline, candidate = np.array([99.0, 99, 50, 50, 70]), np.array([1.0, 1, 50, 50, 30])
    weights = stratum_weights(baseline, candidate, strata)
    weighted = [each * weight for each, weight in zip((baseline, candidate), weights, strict=True)]
    shares = [each / each.sum() for each in weighted]
    assert shares[0].tolist() == pytest.approx(shares[1].tolist())
    assert weights[0].max() == weights[1].max() == 1.0
    assert weighted[0][4] == weighted[1][4] == 0.0


def test_blocks_that_weigh_little_count_little() -> None:
    """In a ramp the first steps weigh next to nothing, so there are fewer blocks for a judgment."""
    bounds: Array = np.array([1.0, 1.02, 1.04, 1.06])
    weights = np.where(np.arange(40) < 20, 0.001, 1.0)[:, None]
    counts = np.random.default_rng(1).multinomial(500, [0.1, 0.4, 0.2, 0.2, 0.1], 40).astype(float) * weights
    effects = [
        latency_effect(Latencies(bounds, counts), Latencies(bounds, counts), 0.4, stratified=stratified)
        for stratified in (False, True)
    ]
    assert [effect.tail.inflation.blocks for effect in effects if effect.tail] == [40, 20]


def test_a_split_that_moves_is_seen() -> None:
    even: Array = np.full(40, 500.0)
    assert not split_moves(even, even * 1.1)
    assert split_moves(even, np.where(np.arange(40) < 10, 100.0, 500.0))


def test_one_scrape_more_is_no_split_that_moves() -> None:
    """Ten blocks of three or four scrapes each: their counts differ by a third, the traffic does not."""
    edges = np.linspace(0, 33, 11)
    times = [np.arange(first, 33, 1.0) for first in (0.2, 0.9)]
    moments = [[(each, np.append(0.0, np.full(len(each) - 1, 80.0)))] for each in times]
    assert not split_moves(*requests_at_common_times(moments[0], moments[1], edges))


@pytest.mark.parametrize(
    ("text", "parts"), [("50:50", (50.0, 50.0)), ("2:1:1", (2.0, 1.0, 1.0)), ("1%", (99.0, 1.0))]
)
def test_a_split_has_a_part_for_each_variant(text: str, parts: tuple[float, ...]) -> None:
    assert SPLITS.convert(text, None, None)[0][0] == parts


def test_a_ramp_has_steps_and_the_last_needs_no_length() -> None:
    steps = RAMP.convert("1%@2h,90:10@30m,50%", None, None)
    assert [seconds for _, seconds in steps] == [7200.0, 1800.0, float("inf")]


def test_each_pair_of_variants_has_its_own_share() -> None:
    variants = Variants(("b", "c"), "a", (((4.0, 4.0, 1.0, 1.0), float("inf")),))
    shares = [variants.question(Question(), name).split for name in variants.others]
    assert shares == pytest.approx([0.5, 0.2, 0.2])
