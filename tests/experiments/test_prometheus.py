"""A real Prometheus scrapes exporters whose truth is known; what is compared is exactly that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dualmetrics.experiments import Comparison, Prometheus, Question, Verdict, Window, compare
from dualmetrics.experiments.metric_names import CLASSIC
from tests.experiments.prometheus import value
from tests.experiments.world import STEPS, World, world

pytestmark = pytest.mark.server

BOTH = ("baseline", "candidate")
EXACT = ("same", "worse", "resets", "births", "gap", "unstamped", "faultless")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("prometheus")) as found:
        yield found


def compared(live: World, experiment: str, **asked: object) -> Comparison:
    source = Prometheus(live.url, experiment)
    window = Window(source.began(CLASSIC), live.until, live.until)
    return compare(source, window, Question(**asked), experiment)  # type: ignore[arg-type]


@pytest.mark.parametrize("experiment", EXACT)
def test_requests_and_histograms_are_exact(live: World, experiment: str) -> None:
    found = compared(live, experiment)
    for variant, tally in zip(BOTH, found.evidence.total, strict=True):
        assert tally.requests.sum() == tally.durations.sum() == live.truth(experiment, variant)


def test_increase_would_not_have_been_exact(live: World) -> None:
    """Or this test of ours tells nothing."""
    found = value(live.url, 'sum(increase(http_requests_total{experiment="births",variant="candidate"}[1h]))')
    assert abs(found - live.truth("births", "candidate")) > 1


def test_errors_are_exact_where_no_first_scrape_had_one(live: World) -> None:
    found = compared(live, "births")
    exporter = live.exporters["births"]["candidate"]
    assert found.evidence.total[1].errors.sum() <= exporter.failed
    assert found.evidence.total[1].errors.sum() >= exporter.failed - 10


def test_a_series_born_midway_counts_from_its_first_value(live: World) -> None:
    found = compared(live, "births", by_route=True)
    exporter = live.exporters["births"]["candidate"]
    expected = sum(sum(row) for (route, _), row in exporter.counts.items() if route == "/new")
    recording = Prometheus(live.url, "births").read(
        "candidate", CLASSIC, found.window.start, found.window.end
    )
    new = [each for each in recording.requests if each.labels["http_route"] == "/new"]
    assert sum(float(each.values[-1]) for each in new) == expected
    assert "/new" not in found.evidence.routes  # the baseline has no such route


@pytest.mark.parametrize(("experiment", "check"), [("down", "scrapes"), ("skewed", "overlap")])
def test_what_may_not_be_compared_is_invalid_and_says_why(live: World, experiment: str, check: str) -> None:
    found = compared(live, experiment)
    assert found.verdict is Verdict.INVALID
    assert check in [each.name for each in found.checks if not each.holds]


def test_a_short_gap_is_no_matter(live: World) -> None:
    assert all(check.holds for check in compared(live, "gap").checks)


def test_the_declared_split_is_checked(live: World) -> None:
    assert all(check.holds for check in compared(live, "same", split=0.5).checks)
    assert compared(live, "same", split=0.1).verdict is Verdict.INVALID


def test_a_worse_candidate_fails_and_an_equal_one_does_not(live: World) -> None:
    assert compared(live, "worse").verdict is Verdict.FAIL
    assert compared(live, "same").verdict is not Verdict.FAIL


def test_routes_are_shown_and_may_make_it_fail(live: World) -> None:
    found = compared(live, "worse", by_route=True)
    assert {each.route for each in found.routes} == {"/"}
    assert all(each.q >= each.gate.p_worse for each in found.routes)
    assert "error ratio of /" in compared(live, "worse", gate_routes=True).failed


def test_every_experiment_of_this_world_is_known(live: World) -> None:
    assert set(live.exporters) == set(STEPS)
