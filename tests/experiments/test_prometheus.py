"""A real Prometheus scrapes exporters whose true counts are known; the comparison must have exactly these."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dualmetrics.experiments import Comparison, Prometheus, Question, Verdict, Window, compare
from dualmetrics.experiments.metric_names import CLASSIC
from dualmetrics.experiments.sources import prometheus as prometheus_source
from tests.experiments.prometheus import value
from tests.experiments.world import HISTORY, REQUESTS_PER_SCRAPE, World, world

pytestmark = pytest.mark.server

BOTH = ("baseline", "candidate")
EXACT = ("same", "worse", "resets", "births", "gap", "unstamped", "faultless")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def run_comparison(live: World, experiment: str, **question: object) -> Comparison:
    source = Prometheus(live.url, experiment)
    window = Window(source.began(CLASSIC), live.until, live.until)
    return compare(source, window, Question(**question), experiment)  # type: ignore[arg-type]


@pytest.mark.parametrize("experiment", EXACT)
def test_requests_and_histograms_are_exact(live: World, experiment: str) -> None:
    comparison = run_comparison(live, experiment)
    for variant, counts in zip(BOTH, comparison.evidence.total, strict=True):
        assert counts.requests.sum() == counts.durations.sum() == live.true_requests(experiment, variant)


def test_promqls_increase_is_not_exact(live: World) -> None:
    """Otherwise the tests above would prove nothing."""
    increase = value(
        live.url, 'sum(increase(http_requests_total{experiment="births",variant="candidate"}[1h]))'
    )
    assert abs(increase - live.true_requests("births", "candidate")) > 1


def test_errors_are_exact_except_for_those_before_the_first_scrape(live: World) -> None:
    comparison = run_comparison(live, "births")
    exporter = live.exporters["births"]["candidate"]
    assert comparison.evidence.total[1].errors.sum() <= exporter.failed
    assert comparison.evidence.total[1].errors.sum() >= exporter.failed - 10


def test_a_series_that_appears_later_counts_from_0(live: World) -> None:
    comparison = run_comparison(live, "births", by_route=True)
    exporter = live.exporters["births"]["candidate"]
    expected = sum(sum(row) for (route, _), row in exporter.counts.items() if route == "/new")
    samples = Prometheus(live.url, "births").read(
        "candidate", CLASSIC, comparison.window.start, comparison.window.end
    )
    new = [each for each in samples.requests if each.labels["http_route"] == "/new"]
    assert sum(float(each.values[-1]) for each in new) == expected
    assert "/new" not in comparison.evidence.routes  # the baseline has no such route


@pytest.mark.parametrize(("experiment", "check"), [("down", "scrapes"), ("skewed", "overlap")])
def test_an_invalid_experiment_names_the_broken_check(live: World, experiment: str, check: str) -> None:
    comparison = run_comparison(live, experiment)
    assert comparison.verdict is Verdict.INVALID
    assert check in [each.name for each in comparison.checks if not each.holds]


def test_a_candidate_that_breaks_midway_fails(live: World) -> None:
    comparison = run_comparison(live, "breaks")
    assert (comparison.verdict, comparison.failed[0]) == (Verdict.FAIL, "error ratio")


def test_what_an_older_process_counted_before_its_first_scrape_is_not_the_windows(live: World) -> None:
    counts = run_comparison(live, "unreachable").evidence.total[1]
    served = live.exporters["unreachable"]["candidate"].served - HISTORY
    assert served - 4 * REQUESTS_PER_SCRAPE <= counts.requests.sum() <= served
    assert counts.errors.sum() <= 0.1 * served


def test_buckets_that_change_midway_lose_no_durations(live: World) -> None:
    comparison = run_comparison(live, "rebucketed")
    counts = comparison.evidence.total[1]
    assert counts.durations.sum() == counts.requests.sum()
    assert comparison.evidence.bounds.tolist() == [5, 50, 1000]
    assert any("they differ" in check.seen for check in comparison.checks)


def test_a_long_window_is_read_in_steps_and_counts_the_same(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarts, new series and gaps lie between the steps."""
    exact = {name: run_comparison(live, name).evidence.total for name in EXACT}
    monkeypatch.setattr(prometheus_source, "EVERY_SAMPLE_SECONDS", 0.0)
    for name, pair in exact.items():
        for every_sample, in_steps in zip(pair, run_comparison(live, name).evidence.total, strict=True):
            assert in_steps.requests.sum() == every_sample.requests.sum(), name
            assert in_steps.errors.sum() == every_sample.errors.sum(), name
            assert in_steps.durations.sum(axis=0).tolist() == every_sample.durations.sum(axis=0).tolist()
            shifted = (in_steps.requests - every_sample.requests).cumsum()
            assert abs(shifted).max() <= REQUESTS_PER_SCRAPE + 7, name


def test_a_short_gap_is_tolerated(live: World) -> None:
    assert all(check.holds for check in run_comparison(live, "gap").checks)


def test_the_declared_split_is_checked(live: World) -> None:
    assert all(check.holds for check in run_comparison(live, "same", split=0.5).checks)
    assert run_comparison(live, "same", split=0.1).verdict is Verdict.INVALID


def test_a_worse_candidate_fails_and_an_equal_one_does_not(live: World) -> None:
    assert run_comparison(live, "worse").verdict is Verdict.FAIL
    assert run_comparison(live, "same").verdict is not Verdict.FAIL


def test_routes_are_shown_and_can_make_the_comparison_fail(live: World) -> None:
    comparison = run_comparison(live, "worse", by_route=True)
    assert {each.route for each in comparison.routes} == {"/"}
    assert all(each.q >= each.gate.p_worse for each in comparison.routes)
    assert "error ratio of /" in run_comparison(live, "worse", gate_routes=True).failed
