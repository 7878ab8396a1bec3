"""Gates on other metrics, several variants and ramps, on a real Prometheus with hours of samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dualmetrics.cli.commands import dualmetrics_command
from tests.experiments.backfill import EXPERIMENT, Recorded, backfilled, shop
from tests.experiments.exporters import Exporter, serving

pytestmark = pytest.mark.server

QUIET = ("--errors", "2%", "--quantile", ".5")
"""There are no durations, and the margin of errors is wide, so that the other gates decide."""


class Shop(NamedTuple):
    """The address of a Prometheus and the window."""

    url: str
    start: float
    end: float

    def compare(self, *arguments: str) -> Result:
        window = ("--prometheus", self.url, "--start", f"{self.start}", "--end", f"{self.end}")
        words = ["compare", EXPERIMENT, *window, *QUIET, *arguments]
        result = CliRunner().invoke(dualmetrics_command, words, env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def report(self, *arguments: str) -> dict[str, Any]:
        result = self.compare(*arguments, "--format", "json")
        assert result.stdout.startswith("{"), result.output
        report: dict[str, Any] = json.loads(result.stdout)
        return report


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    recorded = Recorded(hours=4, interval=30)
    half = np.arange(recorded.steps) < recorded.steps // 2
    shop(recorded, "baseline", seed=1)
    shop(recorded, "same", seed=2)
    shop(recorded, "candidate", seed=3)
    shop(recorded, "worse", failed=0.04, basket=34.0, cpu=0.013, memory=2.6e8, seed=4)
    shop(recorded, "better", failed=0.01, basket=46.0, cpu=0.008, memory=1.6e8, seed=5)
    leak = np.linspace(2e8, 4e8, recorded.steps)
    shop(recorded, "breaking", failed=np.where(half, 0.02, 0.9), memory=leak, seed=6)
    shop(recorded, "different", errors=0.05, seed=7)
    for variant in ("quiet", "quieter"):
        recorded.add(variant, "up", np.ones(recorded.steps))
        recorded.count(variant, "jobs_done_total", np.full(recorded.steps, 50.0))
        recorded.count(variant, "jobs_failed_total", np.tile([1.0, 2.0, 3.0], recorded.steps // 3))
    with backfilled(tmp_path_factory.mktemp("prometheus"), recorded) as url:
        yield Shop(url, recorded.start, recorded.end)


FAILED = 'shop_orders{status="failed"}/shop_orders'
PAID = 'shop_orders{status="paid"}/shop_orders,up=good'
KINDS = {
    "share": ("--ratio", f"{FAILED},margin=1%"),
    "share up-good": ("--ratio", f"{PAID},margin=1%"),
    "factor": ("--ratio", f"{FAILED},factor,margin=20%"),
    "mean": ("--histogram", "shop_basket_value,up=good"),
    "share above": ("--histogram", "basket_value,above=50,up=good,margin=3%"),
    "cpu": ("--cpu", "10%"),
    "memory": ("--memory", "10%"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_equal_candidate_passes_and_a_worse_one_fails(live: Shop, kind: str) -> None:
    passed = live.report(*KINDS[kind])
    assert (passed["verdict"], passed["gates"][-1]["state"]) == ("PASS", "within"), passed["gates"][-1]
    failed = live.report(*KINDS[kind], "--candidate", "worse")
    assert (failed["verdict"], failed["gates"][-1]["state"]) == ("FAIL", "worse"), failed["gates"][-1]


GOALS = {
    "share": ("--ratio", f"{FAILED},goal"),
    "share up-good": ("--ratio", f"{PAID},goal,margin=.2%"),
    "factor": ("--ratio", f"{FAILED},factor,goal,margin=20%"),
    "mean": ("--histogram", "shop_basket_value,up=good,goal"),
    "share above": ("--histogram", "shop_basket_value,above=50,up=good,goal"),
}


@pytest.mark.parametrize("kind", GOALS)
def test_a_goal_is_reached_by_a_better_candidate_alone(live: Shop, kind: str) -> None:
    better = live.report(*GOALS[kind], "--candidate", "better")
    assert (better["verdict"], better["gates"][-1]["state"]) == ("PASS", "reached"), better["gates"][-1]
    assert live.report(*GOALS[kind])["verdict"] != "PASS"
    worse = live.report(*GOALS[kind], "--candidate", "worse")
    assert (worse["verdict"], worse["gates"][-1]["state"]) == ("FAIL", "missed"), worse["gates"][-1]


def test_guard_rails_and_goals_are_judged_in_one_run(live: Shop) -> None:
    result = live.compare(
        *("--candidate", "better", "--ratio", f"{FAILED},margin=1%", "--cpu", "5%", "--memory", "5%"),
        *("--histogram", "shop_basket_value,up=good,goal"),
    )
    assert result.exit_code == 0, result.output
    assert "PASS Every gate is within its margin, and every goal is reached." in result.output


@pytest.mark.parametrize("gate", [("--ratio", FAILED), ("--ratio", PAID), ("--memory", "10%")])
def test_a_candidate_that_breaks_midway_or_leaks_fails(live: Shop, gate: tuple[str, str]) -> None:
    assert live.report(*gate, "--candidate", "breaking")["verdict"] == "FAIL"


def test_the_counts_of_a_ratio_are_exact(live: Shop) -> None:
    note = live.report("--ratio", "shop_items_sold/shop_orders,factor,margin=10%")["gates"][-1]
    assert note["effect"] == pytest.approx(1.0, rel=0.02)
    assert note["baseline"] == pytest.approx(3.0, rel=0.02)


def test_a_quantile_of_another_histogram_is_judged_if_the_buckets_allow_it(live: Shop) -> None:
    report = live.report("--histogram", "shop_basket_value,quantile=.5,up=good", "--candidate", "worse")
    gate = report["gates"][-1]
    assert (report["verdict"], gate["state"]) == ("INCONCLUSIVE", "open")
    assert "bucket bounds at" in report["reason"]
    wide = live.report("--histogram", "shop_basket_value,quantile=.5,margin=60%,up=good")
    assert wide["verdict"] in ("PASS", "INCONCLUSIVE")


def test_an_app_without_http_is_judged_by_its_own_metrics(live: Shop) -> None:
    variants = ("--baseline", "quiet", "--candidate", "quieter")
    report = live.report(*variants, "--ratio", "jobs_failed/jobs_done,margin=1%")
    assert [gate["name"] for gate in report["gates"]] == ["jobs_failed/jobs_done"]
    assert report["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--ratio", "shop_order_failed/shop_orders"), 2, "No metric 'shop_order_failed' was recorded"),
        (("--ratio", 'shop_orders{status="faild"}/shop_orders'), 2, "status='failed', 'paid'"),
        (("--ratio", 'shop_orders{state="failed"}/shop_orders'), 2, "No series of shop_orders_total"),
        (("--ratio", "shop_items_sold/shop_orders"), 2, "so it is no share; add `, factor`"),
        (("--ratio", "shop_orders"), 2, "is no ratio of two metrics"),
        (("--ratio", f"{FAILED},margin=1"), 2, "the margin is unclear"),
        (("--ratio", f"{FAILED},up=down"), 2, "up must be good or bad"),
        (("--ratio", f"{FAILED},gaol"), 2, "'gaol' is no setting; there are up=good, goal, margin=1%"),
        (("--ratio", FAILED, "--ratio", FAILED), 2, "A gate is given twice"),
        (("--histogram", "basket_values"), 2, "No metric 'basket_values' was recorded"),
        (("--histogram", "shop_basket_value,above=55"), 2, "the bounds are 10, 20, 50, 100, 200"),
        (("--histogram", "shop_basket_value,quantile=2"), 2, "quantile must lie between 0 and 1"),
        (("--cpu", "0%"), 2, "the margin must be above 0"),
        (("--candidate", "worse", "--candidate", "worse"), 2, "A variant is given twice"),
        (("--split", "50:25:25"), 2, "has 3 parts, but there are 2 variants"),
        (("--split", "1:1", "--ramp", "1%@1h,50%"), 2, "cannot be combined: --split and --ramp"),
        (("--ramp", "1%,50%"), 2, "'1%' is not a split; write for example 1%@2h"),
        (("--aa", "nobody"), 4, "no requests of the variant 'nobody'"),
    ],
)
def test_what_does_not_exist_or_cannot_be_meant_is_refused(
    live: Shop, arguments: tuple[str, ...], status: int, words: str
) -> None:
    result = live.compare(*arguments)
    assert (result.exit_code, words in result.output) == (status, True), result.output


def test_several_candidates_are_judged_each_and_share_the_risk(live: Shop) -> None:
    gates = ("--ratio", f"{FAILED},margin=1%", "--split", "25:25:25:25")
    candidates = [word for name in ("candidate", "worse", "better") for word in ("--candidate", name)]
    report = live.report(*gates, *candidates)
    verdicts = [each["verdict"] for each in report["comparisons"]]
    assert (report["verdict"], verdicts) == ("FAIL", ["PASS", "FAIL", "PASS"])
    alphas = [each["question"]["margins"][3] for each in report["comparisons"]]
    assert alphas == pytest.approx([0.05 / 3] * 3)
    assert live.compare(*gates, *candidates).output.count("against baseline") == 3


def test_every_kind_of_gate_is_in_every_report(live: Shop, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    gates = [word for kind in (*KINDS.values(), *GOALS.values()) for word in kind]
    result = live.compare(*gates, "--format", "markdown", "--report", str(page))
    assert result.exit_code in (1, 3), result.output
    for name in ("shop_orders", "mean of shop_basket_value", "CPU per request", "memory", "goal: "):
        assert name in result.output
        assert name in page.read_text()


def test_two_pages_have_other_gates_too() -> None:
    def step(exporter: Exporter, scrape: int) -> None:
        exporter.serve(40)
        exporter.extra = (
            f"orders_total {1000 * scrape}\norders_failed_total {10 * scrape}\n"
            f"process_resident_memory_bytes 100\nsize_sum {70 * scrape}\nsize_count {10 * scrape}\n"
            f'size_bucket{{le="+Inf"}} {10 * scrape}\n'
        )

    with serving(Exporter(step)) as one, serving(Exporter(step)) as other:
        pages = ("--pages", f"http://{one}/metrics", f"http://{other}/metrics", "--watch", "5s")
        gates = ("--ratio", "orders_failed/orders", "--memory", "10%", "--histogram", "size")
        words = ["compare", *pages, "--interval", "200ms", *gates, "--format", "json"]
        result = CliRunner().invoke(dualmetrics_command, words)
    report = json.loads(result.stdout)
    assert [gate["effect"] for gate in report["gates"][-3:]] == pytest.approx([0.0, 1.0, 1.0])


def test_several_candidates_have_one_report(live: Shop, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = live.compare("--candidate", "candidate", "--candidate", "worse", "--report", str(page))
    assert result.exit_code in (0, 1, 3), result.output
    assert page.read_text().count("</html>") == 1
    assert page.read_text().count("against baseline</h1>") == 2


def test_an_a_a_pair_that_does_not_differ_leaves_the_verdict(live: Shop) -> None:
    report = live.report("--aa", "same", "--split", "1:1:1", "--ratio", f"{FAILED},margin=1%")
    check = next(each for each in report["checks"] if each["name"] == "A/A")
    assert (report["verdict"], check["holds"]) == ("PASS", True), check


@pytest.mark.parametrize("pair", [("baseline", "different"), ("different", "baseline")])
def test_an_a_a_pair_that_differs_makes_the_experiment_invalid(live: Shop, pair: tuple[str, str]) -> None:
    result = live.compare("--baseline", pair[0], "--aa", pair[1], "--errors", "0.1%")
    assert (result.exit_code, "are the same, but differ" in result.output) == (4, True), result.output


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Only metrics of whole hosts are recorded, as DUALMETRICS_HOST_METRICS does."""
    recorded, rng = Recorded(hours=4, interval=30), np.random.default_rng(1)
    for variant, more in (("baseline", 1.0), ("candidate", 1.02), ("worse", 1.4)):
        recorded.add(variant, "up", np.ones(recorded.steps))
        recorded.count(variant, "http_requests_total", np.full(recorded.steps, 300.0), http_status_code="200")
        for state, seconds in (("user", 3 * more), ("system", more), ("idle", 26.0)):
            added = rng.normal(seconds, 0.1, recorded.steps)
            recorded.count(variant, "system_cpu_time_seconds_total", added, state=state, cpu="1")
        for state, size in (("used", 2e9 * more), ("free", 6e9)):
            recorded.add(variant, "system_memory_usage_bytes", np.full(recorded.steps, size), state=state)
    for variant in ("one", "two"):
        target = {"instance": f"host:{len(variant)}{variant[0]}"}
        recorded.add(variant, "up", np.ones(recorded.steps), **target)
        labels = {"http_status_code": "200", **target}
        recorded.count(variant, "http_requests_total", np.full(recorded.steps, 300.0), **labels)
        recorded.add(
            variant, "system_memory_usage_bytes", np.full(recorded.steps, 1e9), state="used", **target
        )
    with backfilled(tmp_path_factory.mktemp("hosts"), recorded) as url:
        yield Shop(url, recorded.start, recorded.end)


@pytest.mark.parametrize(("option", "seconds_or_bytes"), [("--cpu", 4 / 300), ("--memory", 2e9)])
def test_metrics_of_hosts_are_judged_if_each_variant_has_its_own(
    hosts: Shop, option: str, seconds_or_bytes: float
) -> None:
    gate = hosts.report(option, "10%")["gates"][-1]
    assert (gate["state"], gate["baseline"]) == ("within", pytest.approx(seconds_or_bytes, rel=0.01))
    assert hosts.report(option, "10%", "--candidate", "worse")["verdict"] == "FAIL"


def test_metrics_of_one_host_are_not_compared_with_themselves(hosts: Shop) -> None:
    result = hosts.compare("--baseline", "one", "--candidate", "two", "--memory", "10%")
    assert (result.exit_code, "both variants run on host" in result.output) == (2, True), result.output


HOURS = (2.0, 2.25, 3.5, 4.0, 7.0, 16.0)


@pytest.fixture(scope="module")
def ramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Sixteen hours, scraped every 15 seconds. Errors become fewer while the candidate gets more traffic."""
    recorded = Recorded(hours=16, interval=15)
    hours = (recorded.times - recorded.start) / 3600
    share = np.select([hours < 4, hours < 10], [0.01, 0.1], 0.5)
    errors = np.where(hours < 10, 0.05, 0.01)
    shop(recorded, "baseline", traffic=1000 * (1 - share), errors=errors, seed=11)
    shop(recorded, "candidate", traffic=1000 * share, errors=errors, seed=12)
    shop(recorded, "worse", traffic=1000 * share, errors=errors + 0.02, seed=13)
    shop(recorded, "breaking", traffic=1000 * share, errors=np.where(hours > 12, 1.0, errors), seed=14)
    with backfilled(tmp_path_factory.mktemp("ramp"), recorded) as url:
        yield Shop(url, recorded.start, recorded.end)


RAMP = ("--ramp", "1%@4h,10%@6h,50%", "--errors", "0.5%")


def test_the_steps_of_a_ramp_are_strata(ramped: Shop) -> None:
    report = ramped.report(*RAMP)
    assert (report["verdict"], report["gates"][0]["state"]) == ("PASS", "within"), report
    assert abs(report["gates"][0]["effect"]) < 0.002
    assert any("each step of the ramp is a stratum" in note for note in report["notes"])
    assert ramped.report(*RAMP, "--candidate", "worse")["verdict"] == "FAIL"
    assert ramped.report(*RAMP, "--candidate", "breaking")["verdict"] == "FAIL"


def test_without_strata_the_same_ramp_would_mislead(ramped: Shop) -> None:
    """The totals of both variants stand for different times, so they differ by two points and more."""
    requests = ramped.report(*RAMP)
    assert requests["requests"]["baseline"] > requests["requests"]["candidate"]
    undeclared = ramped.report("--errors", "0.5%")
    assert abs(undeclared["gates"][0]["effect"]) < 0.002
    assert any("because the split moves" in note for note in undeclared["notes"])


def test_a_ramp_that_did_not_happen_is_invalid(ramped: Shop) -> None:
    result = ramped.compare("--ramp", "5%@4h,10%@6h,50%")
    assert (result.exit_code, "step 1: the candidate got" in result.output) == (4, True), result.output


@pytest.mark.parametrize("hours", HOURS)
def test_perfect_scrapes_are_valid_at_every_length(ramped: Shop, hours: float) -> None:
    shorter = ramped._replace(start=ramped.end - hours * 3600)
    scrapes = next(each for each in shorter.report()["checks"] if each["name"] == "scrapes")
    assert (scrapes["holds"], "100.0% of the baseline's" in scrapes["seen"]) == (True, True), scrapes
