"""What the reports say, to whom, and in which form."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from math import inf, nan
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml

from dualmetrics.cli.comparison_output import FORMATS, render
from dualmetrics.cli.parameter_types import DURATION
from dualmetrics.experiments import Gate, Margins, Verdict
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.report.axes import fitting_range
from dualmetrics.experiments.report.effect_plots import plot_effect
from dualmetrics.experiments.report.gate_cards import gate_cards
from dualmetrics.experiments.report.html_report import html_report
from dualmetrics.experiments.report.markdown_report import markdown_report
from dualmetrics.experiments.statistics.power import Need
from tests.experiments.recorded import Recorded, compared
from tests.peers import PREFIX

HOUR = 3600.0
HOSTILE = "/\x1b[31m<script>|`x`[a](http://b)@team&\u202e"
MARGINS = Margins(errors=0.002)
COMPARISONS = {
    Verdict.PASS: compared(Recorded(4 * HOUR), margins=MARGINS, split=0.5),
    Verdict.FAIL: compared(Recorded(4 * HOUR, errors=(0.005, 0.02)), margins=MARGINS),
    Verdict.INCONCLUSIVE: compared(Recorded(HOUR), margins=Margins(errors=0.0001)),
    Verdict.INVALID: compared(Recorded(HOUR, traffic=(25.0, 15.0)), split=0.5),
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0025, "2.5ms"),
        (0.9999, "1s"),
        (45.67, "45.7s"),
        (59.7, "1m"),
        (300.0, "5m"),
        (3599.9, "1h"),
        (5400.0, "1h 30m"),
        (86399.0, "1d"),
        (30.2 * HOUR, "1d 6h"),
        (inf, "forever"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [0.25, 7.0, 75.0, 300.0, 5400.0, 90000.0])
def test_a_duration_can_be_given_as_the_reports_write_it(seconds: float) -> None:
    assert DURATION.convert(format_duration(seconds), None, None) == seconds


@pytest.mark.parametrize("verdict", COMPARISONS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_verdict(verdict: Verdict, form: str) -> None:
    comparison = COMPARISONS[verdict]
    assert comparison.verdict is verdict
    assert verdict.name in render([comparison], form) or (form, verdict) == ("junit", Verdict.PASS)


@pytest.mark.parametrize(
    ("verdict", "headline", "change"),
    [
        (
            Verdict.PASS,
            "not worse than the baseline by more than",
            "error ratio: a margin stricter than about",
        ),
        (Verdict.FAIL, "The candidate is worse", "error ratio: only a margin beyond about"),
        (Verdict.INCONCLUSIVE, "not known yet", "more than this window has"),
        (Verdict.INVALID, "cannot be compared", "Find out why the traffic is not split"),
    ],
)
def test_a_report_says_the_verdict_in_words_what_it_rests_on_and_what_would_change_it(
    verdict: Verdict, headline: str, change: str
) -> None:
    comparison = COMPARISONS[verdict]
    for report in (html_report(comparison), markdown_report(comparison)):
        assert headline in report
        assert re.search(r"\d requests of the baseline and \d[\d,]+ requests of the candidate", report)
        assert change in report


def test_shortly_before_the_end_the_report_compares_the_need_with_the_declared_end() -> None:
    source = Recorded(HOUR)
    comparison = compared(source, HOUR + 60, margins=Margins(errors=0.0001), sequential=True)
    report = markdown_report(comparison)
    assert re.search(r"the declared end is in 1m, and about .+ after that would be needed", report)
    assert "showing that takes about" in report
    assert "more than was declared" in report


def test_few_blocks_give_no_plots_over_time() -> None:
    short = html_report(compared(Recorded(120.0)))
    assert (short.count("<svg"), "since the start" in short) == (3, False)
    long = html_report(COMPARISONS[Verdict.PASS])
    assert (long.count("<svg"), "since the start" in long) == (5, True)


def test_every_plot_of_a_gate_has_a_legend_and_a_description() -> None:
    report = html_report(COMPARISONS[Verdict.PASS])
    pictures = re.findall(r"<svg.*?</svg>", report, re.DOTALL)
    assert all(ET.fromstring(picture).get("aria-label") for picture in pictures)
    assert sum("no difference" in picture and "margin" in picture for picture in pictures) == 2


def test_colors_follow_the_page() -> None:
    report = html_report(compared(Recorded(4 * HOUR), by_route=True))
    assert re.findall(r"#0\d0\d0\d", report) == []
    assert set(re.findall(r"var\((--\w+)\)", report)) <= set(re.findall(r"(--\w+):", report))


def gate(effect: float, lower: float, upper: float) -> Gate:
    need = Need(1.0, 0.001)
    return Gate("error ratio", "difference", 0.001, 0.01, 0.02, effect, lower, upper, 0.5, 0.5, False, need)


@pytest.mark.parametrize(
    "numbers",
    [(0.0, -0.0001, 0.0001), (0.06, 0.05, 0.07), (-0.3, -0.4, -0.2), (0.0, -0.5, 0.5), (nan, -1.0, 1.0)],
)
def test_an_axis_shows_no_effect_the_margin_and_the_effect_and_is_not_much_wider(
    numbers: tuple[float, float, float],
) -> None:
    low, high = fitting_range([gate(*numbers)], 1.0)
    inside = [0.0, 0.001, *(each for each in numbers[:1] if each == each)]
    assert low < min(inside) <= max(inside) < high
    assert high - low < 8 * (max(inside) - min(inside))


def test_an_axis_over_time_ignores_how_wide_the_first_intervals_were() -> None:
    gates = [gate(0.0, -0.5 / number, 0.5 / number) for number in range(1, 30)]
    low, high = fitting_range(gates, 1.0)
    assert high - low < 0.01


def test_the_part_that_is_tolerated_is_on_the_better_side_of_the_margin() -> None:
    for up_good in (False, True):
        picture = plot_effect(
            dataclasses.replace(gate(0.0, -0.0005, 0.0005), up_good=up_good), "range", "a gate"
        )
        first, second = re.findall(r"fill: var\(--(tolerated|excluded)\)", picture)[:2]
        assert (first, second) == (("excluded", "tolerated") if up_good else ("tolerated", "excluded"))


@pytest.mark.parametrize(
    ("within", "failed", "words"), [(True, [], "goal reached"), (False, ["error ratio"], "goal missed")]
)
def test_a_goal_is_reached_or_missed(within: bool, failed: list[str], words: str) -> None:
    goal = dataclasses.replace(gate(-0.002, -0.003, -0.0015), goal=True, within=within)
    comparison = dataclasses.replace(
        COMPARISONS[Verdict.PASS],
        gates=[goal],
        failed=[] if within else [goal.name],
        verdict=Verdict.PASS if within else Verdict.FAIL,
    )
    sentence = "better than the baseline as required" if within else "not as much better"
    assert sentence in markdown_report(comparison)
    assert f"goal {'reached' if within else 'missed'}" in " ".join(gate_cards(comparison))
    assert "the goal of -0.100 points" in markdown_report(comparison)


@pytest.mark.parametrize("form", FORMATS)
def test_several_candidates_are_in_one_report(form: str) -> None:
    passed, failed = COMPARISONS[Verdict.PASS], COMPARISONS[Verdict.FAIL]
    other = dataclasses.replace(failed.question, candidate="other")
    report = render([passed, dataclasses.replace(failed, question=other)], form)
    assert {"shop: candidate against baseline", "shop: other against baseline"} <= {
        match[0] for match in re.finditer(r"shop: \w+ against baseline", report)
    } or form == "json"
    if form == "html":
        assert report.count("<body>") == 1
        assert "2 candidates were compared with baseline" in report
    if form == "junit":
        assert len(list(JUnitXml.fromstring(report.encode()))) == 2


@pytest.mark.parametrize("verdict", COMPARISONS)
def test_junit_has_a_case_for_the_verdict_each_check_and_each_gate(verdict: Verdict) -> None:
    comparison = COMPARISONS[verdict]
    suite = next(iter(JUnitXml.fromstring(render([comparison], "junit"))))
    names = [case.name for case in suite]
    assert names[0] == "verdict"
    assert len(names) == 1 + len(comparison.checks) + len(comparison.gates)
    outcomes = {Verdict.PASS: [], Verdict.FAIL: ["failure"], Verdict.INCONCLUSIVE: ["skipped"]}
    first = next(iter(suite))
    assert [each._tag for each in first.result] == outcomes.get(verdict, ["error"])


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_do_no_harm_in_any_format(form: str) -> None:
    source = Recorded(HOUR, routes=[HOSTILE, "/" + "x" * 3000, "$\\frac$"])
    report = render([compared(source, by_route=True, margins=MARGINS)], form)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", report)
    if form in ("html", "markdown"):
        assert "<script" not in report
        assert "[a](" not in report or form == "html"
    if form == "junit":
        ET.fromstring(report.encode())


def test_routes_of_others_are_no_markdown() -> None:
    source = Recorded(HOUR, routes=["@everyone", "![x](http://y)", "a|b", "<img src=x>", "`", "\\", "*"])
    report = markdown_report(compared(source, by_route=True))
    rows = [line for line in report.splitlines() if line.startswith("| <code>")]
    assert len(rows) == 14
    assert {row.count("|") for row in rows} == {9}
    assert "<code>@everyone</code>" in report
    assert not re.search(r"<img|!\[|\*<|`", "".join(rows))


WIDTHS = (400, 700, 1400)
FRAMES = """<body>{frames}<script>
onload = () => {{ document.title = [...document.querySelectorAll("iframe")].map(
  frame => frame.contentDocument.documentElement.scrollWidth).join(" ") }}
</script></body>"""


def test_the_page_fits_a_phone_in_a_real_browser(tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip(f"{PREFIX}Chromium: it is not on the PATH (to get it: Debian: apt-get install chromium)")
    source = Recorded(4 * HOUR, routes=["/basket/" + "x" * 200, "/"])
    (tmp_path / "page.html").write_text(html_report(compared(source, by_route=True)))
    frames = "".join(f'<iframe src="page.html" width="{width}" height="800"></iframe>' for width in WIDTHS)
    (tmp_path / "frames.html").write_text(FRAMES.format(frames=frames))
    seen = [int(width) for width in title_in(browser, tmp_path / "frames.html").split()]
    assert len(seen) == len(WIDTHS)
    assert all(wanted - 20 <= width <= wanted for width, wanted in zip(seen, WIDTHS, strict=True)), seen


def title_in(browser: str, page: Path) -> str:
    """Return the title of a page after its scripts have run."""
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync", f"--user-data-dir={page.parent / 'profile'}"]
    command = [browser, "--headless", "--no-sandbox", "--allow-file-access-from-files", *quiet]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    match = re.search(r"<title>(.*?)</title>", done.stdout)
    assert match is not None, done.stdout[:500]
    return match[1]
