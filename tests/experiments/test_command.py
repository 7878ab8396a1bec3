"""``dualmetrics compare`` as a user and as CI call it: its output and its exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from dualmetrics.cli.commands import dualmetrics_command
from dualmetrics.experiments import Prometheus
from dualmetrics.experiments.metric_names import CLASSIC
from tests.experiments.exporters import Exporter, serving
from tests.experiments.world import World, world, worse
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.server

WIDE = {"COLUMNS": "200"}
LENIENT = ["--errors", "1%", "--latency", "100%"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(dualmetrics_command, ["compare", *arguments], env=WIDE)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def run_on(live: World, *arguments: str) -> Result:
    until = () if {"--end", "--duration"} & {*arguments} else ("--end", str(live.until))
    return run("--prometheus", live.url, *until, *arguments)


def test_the_three_verdicts_and_their_status(live: World) -> None:
    passed = run_on(live, "faultless", *LENIENT)
    assert (passed.exit_code, "PASS Every gate is within its margin." in passed.output) == (0, True), (
        passed.output
    )
    failed = run_on(live, "worse")
    assert (failed.exit_code, "FAIL Surely worse: error ratio" in failed.output) == (1, True), failed.output
    undecided = run_on(live, "same", "--errors", "0.001%", "--slo", "50ms")
    assert (undecided.exit_code, "more would be needed" in undecided.output) == (3, True), undecided.output


def test_buckets_that_are_too_wide_are_named_with_the_bounds_that_would_help(live: World) -> None:
    result = run_on(live, "faultless", "--errors", "1%", "--quantile", "0.95")
    assert (result.exit_code, "More time would not decide p95" in result.output) == (3, True), result.output
    assert "bucket bounds at 71.5 and 78.7 would help" in result.output


@pytest.mark.parametrize(("treated", "status"), [("pass", 0), ("fail", 1)])
def test_inconclusive_exits_as_the_option_says(live: World, treated: str, status: int) -> None:
    assert run_on(live, "same", "--errors", "0.001%", "--inconclusive", treated).exit_code == status


def early_look(live: World, *options: str) -> Result:
    """The window ends now. If Prometheus missed scrapes a moment ago, wait until later ones outweigh them."""
    looks: list[Result] = []

    def has_enough_scrapes() -> bool:
        looks.append(run_on(live, "worse", *options))
        return "broken scrapes" not in looks[-1].output

    wait_until(has_enough_scrapes, 90, "enough scrapes for a verdict", details=lambda: looks[-1].output)
    return looks[-1]


def test_an_early_look_gives_no_verdict_unless_it_is_sequential(live: World) -> None:
    early = early_look(live, "--duration", "24h")
    assert early.exit_code == 3, early.output
    assert "early look" in early.output
    sequential = early_look(live, "--duration", "1m", "--sequential")
    assert sequential.exit_code == 1, sequential.output


@pytest.mark.parametrize(("arguments", "status"), [((), 3), (("--inconclusive", "pass"), 0)])
def test_before_the_first_complete_block_a_sequential_look_is_inconclusive(
    live: World, arguments: tuple[str, ...], status: int
) -> None:
    result = run_on(live, "same", "--duration", "7d", "--sequential", *arguments)
    assert (result.exit_code, "The first block" in result.output) == (status, True), result.output


def test_an_early_look_waits_for_data_that_can_still_come(live: World) -> None:
    """The experiments that are invalid at their end are not so shortly after their start."""
    for name, words in (("lonely", "no requests of the variant 'candidate' yet"), ("idle", "no traffic yet")):
        early = run_on(live, name, "--duration", "24h")
        assert (early.exit_code, words in early.output) == (3, True), early.output
    down = run_on(live, "down", "--duration", "24h", "--sequential")
    assert (down.exit_code, "Waiting for more data: scrapes" in down.output) != (4, False), down.output


def test_a_split_is_not_judged_before_it_has_blocks_enough(live: World) -> None:
    source = Prometheus(live.url, "same")
    start = source.began(CLASSIC)
    early = run_on(
        live, "same", "--split", "50:50", "--start", str(start), "--end", str(start + 3), "--errors", "1%"
    )
    assert (early.exit_code, "not checked yet" in early.output) == (3, True), early.output


def test_an_invalid_experiment_exits_with_4_and_shows_what_is_broken(live: World) -> None:
    result = run_on(live, "down")
    assert result.exit_code == 4
    assert "broken scrapes" in result.output


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nobody"], 4, "knows no experiment 'nobody'"),
        (["lonely"], 4, "no requests of the variant 'candidate'"),
        (["idle"], 4, "The candidate had no traffic"),
        (["broken"], 4, "http_requests_total has a value that is not a finite number"),
        (["buckets"], 4, "no bucket bound in common"),
        (["same", "--slo", "60ms"], 2, "not a bucket bound; the bounds are 5, 10, 25"),
        (["same", "--requests", "no_such_total"], 4, "no requests of the variant"),
        (["same", "--end", "1970-01-02"], 2, "The window is empty"),
        (["same", "--end", "2100-01-01", "--duration", "1h"], 2, "cannot be combined: --end and --duration"),
        (["same", "--pages", "a", "b"], 2, "cannot be combined: --pages and"),
        (["same", "--watch", "1m"], 2, "--watch can be used only with --pages"),
        (["same", "--baseline", "candidate"], 2, "the same variant"),
        (["same", "--quantile", "99"], 2, "between 0 and 1"),
        (["same", "--error-status", "5("], 2, "not a regular expression"),
        (["same", "--header", "secret"], 2, "NAME:VALUE"),
        (["same", "--split", "50"], 2, "not a split"),
        (["worse", "--status-label", "http_status"], 2, "--status-label names it. The labels are"),
        (["worse", "--by", "route", "--route-label", "path"], 2, "No series has the label 'path'"),
        (["worse", "--error-status", "5"], 2, "matches no status code"),
        (["worse", "--error-status", "500x"], 2, "the codes are 200, 500"),
        (["worse", "--error-status", ".*"], 2, "matches every status code"),
        (["same", "--errors", "0.5"], 2, "write 50%, or 0.5% if that is meant"),
        (["same", "--slow", "0.5"], 2, "is unclear"),
        (["same", "--latency", "10"], 2, "write 1000%, or 10%"),
        (["same", "--errors", "inf"], 2, "not a share"),
        (["same", "--errors", "nan"], 2, "not a share"),
        (["same", "--alpha", "nan"], 2, "not a share"),
        (["same", "--start", "nan"], 2, "not a time"),
        (["same", "--duration", "soon"], 2, "not a duration"),
        ([], 2, "Name an experiment and a server"),
    ],
)
def test_wrong_input_is_reported_in_one_sentence(
    live: World, arguments: list[str], status: int, words: str
) -> None:
    result = run_on(live, *arguments)
    assert result.exit_code == status, result.output
    assert words in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "option", [("--duration", "1h"), ("--start", "0"), ("--end", "0"), ("--duration", "0s")]
)
def test_pages_have_no_past_and_no_declared_length(option: tuple[str, str]) -> None:
    result = run("--pages", "a", "b", *option)
    assert (result.exit_code, f"cannot be combined: --pages and {option[0]}" in result.output) == (2, True)


def test_a_server_that_does_not_answer_or_is_no_prometheus_exits_with_5(live: World) -> None:
    unused = f"http://127.0.0.1:{free_port()}"
    assert run("same", "--prometheus", unused).exit_code == 5
    assert run("same", "--prometheus", "no url").exit_code == 5
    with serving(Exporter()) as target:
        result = run("same", "--prometheus", f"http://{target}")
        assert (result.exit_code, "is not a Prometheus" in result.output) == (5, True)
        assert run("--pages", f"http://{target}/metrics", unused, "--watch", "0s").exit_code == 5


def test_json_has_every_number(live: World) -> None:
    report = json.loads(run_on(live, "worse", "--by", "route", "--format", "json").output)
    assert report["verdict"] == "FAIL"
    assert report["requests"]["candidate"] == live.true_requests("worse", "candidate")
    assert [gate["name"] for gate in report["gates"]] == ["error ratio", "p95", "p99"]
    assert report["routes"][0]["route"] == "/"


def test_markdown_is_a_table(live: World) -> None:
    output = run_on(live, "worse", "--format", "markdown").output
    assert output.startswith("## FAIL: worse: candidate against baseline\n")
    assert "\n| error ratio | " in output


def test_the_html_report_is_self_contained(live: World, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert run_on(live, "worse", "--by", "route", "--report", str(report)).exit_code == 1
    text = report.read_text()
    assert text.count("<svg") == 5  # of three gates, the durations, and the routes
    assert "src=" not in text
    assert "<link" not in text
    for picture in text.split("<svg")[1:]:
        ET.fromstring("<svg" + picture.partition("</svg>")[0] + "</svg>")


def test_a_report_that_cannot_be_written_is_reported(live: World, tmp_path: Path) -> None:
    result = run_on(live, "worse", "--report", str(tmp_path / "no" / "report.html"))
    assert (result.exit_code, "cannot be written" in result.output) == (2, True)


def test_the_share_of_slow_requests_is_a_gate(live: World) -> None:
    result = run_on(live, "worse", "--slo", "50ms", "--format", "json")
    assert [gate["name"] for gate in json.loads(result.output)["gates"]] == [
        "error ratio",
        "slower than 50ms",
    ]
    assert result.exit_code == 1


def test_two_pages_are_watched_without_a_server() -> None:
    with serving(Exporter()) as one, serving(Exporter(worse)) as other:
        pages = ["--pages", f"http://{one}/metrics", f"http://{other}/metrics"]
        watched = run(*pages, "--watch", "5s", "--interval", "200ms", "--format", "json")
        assert json.loads(watched.stdout)["verdict"] == "FAIL", watched.output
        once = run(*pages, "--watch", "0s", "--format", "json")
        assert json.loads(once.stdout)["verdict"] == "INCONCLUSIVE"
        assert json.loads(once.stdout)["requests"]["baseline"] > 1000
        assert (
            json.loads(run(*pages, "--watch", "0s", "--assume-iid", "--format", "json").stdout)["verdict"]
            == "FAIL"
        )
