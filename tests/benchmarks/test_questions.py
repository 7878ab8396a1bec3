"""Every question can be asked, failures are reported, and the document gets its tables."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.document import fill_page, sections
from benchmarks.goals import Goal, goal_table
from benchmarks.question import QUESTIONS, Contestant, Effort, Measure, Question, load_question
from benchmarks.real_servers import PER_SECOND
from benchmarks.results import Result
from benchmarks.runner import run
from benchmarks.tables import result_table

SERVERS = {"uvicorn", "gunicorn"}
ASGI = load_question("asgi")


def ask(directory: Path, *questions: str) -> dict[str, Result]:
    """The results of the tiny form, in an interpreter of its own."""
    command = [sys.executable, "-m", "benchmarks", *questions, "--tiny", "--results", str(directory)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert completed.returncode == 0, completed.stderr
    return results.load_results(directory)


def result_of(**medians: float) -> Result:
    """A result of the question ``asgi`` with these medians."""
    rows = [results.summarize(0, name, [{"": value}], None) for name, value in medians.items()]
    return results.make_result(ASGI, "tiny", [*rows, results.summarize(0, "broken", [], "the process ended")])


@pytest.mark.server
def test_ours_and_the_floor_answer_every_question(tmp_path: Path) -> None:
    questions = [name for name in QUESTIONS if name not in SERVERS]
    answers = ask(tmp_path, *questions)
    for name in questions:
        rows = {row.contestant: row for row in answers[name].measurements}
        assert any(contestant.startswith("ours") for contestant in rows)
        assert {load_question(name).floor, load_question(name).base} - {""} <= set(rows)
        medians = [column["median"] for row in rows.values() for column in row.columns.values()]
        assert medians, name
        assert all(math.isfinite(median) for median in medians)


@pytest.mark.server
def test_real_servers_are_measured_or_skipped_with_a_message(tmp_path: Path) -> None:
    for result in ask(tmp_path, *SERVERS).values():
        for row in result.measurements:
            assert row.failure == "skipped: wrk is not installed" or row.columns[PER_SECOND]["median"] > 0


def test_a_contestant_that_fails_is_reported_and_the_others_continue() -> None:
    unknown = Contestant("unknown", never_called)
    question = Question(
        "asgi", "", "", (ASGI.contestant("bare"), unknown), {"quick": Effort(1, 1, 20)}, base="bare"
    )
    rows = {row.contestant: row for row in run(question, "quick")}
    assert "has no contestant 'unknown'" in str(rows["unknown"].failure)
    assert rows["bare"].failure is None
    assert rows["bare"].columns[""]["median"] > 0


def never_called(case: int) -> Measure:
    """The process of the contestant fails before it gets here."""
    raise NotImplementedError


def test_a_table_shows_what_is_added_and_the_ratio_to_the_floor() -> None:
    text = result_table(ASGI, result_of(bare=10.0, floor=12.0, ours=13.0))
    assert "| ours | 13.0, 13.0; +3.00; x1.50 |" in text
    assert "| broken | failed: the process ended |" in text


def test_a_table_names_the_case_of_each_row() -> None:
    question = load_question("workers")
    rows = [results.summarize(case, "floor", [{"warm": 2.0}], None) for case in (1, 1000)]
    text = result_table(question, results.make_result(question, "tiny", rows))
    assert "| workers |  | warm (median, min) |\n|---|---|---|\n" in text
    assert "| 1,000 | floor | 2.00, 2.00 |" in text


def test_goals_are_reached_or_not_measured() -> None:
    text = goal_table({"asgi": result_of(bare=10.0, floor=12.0, ours=13.0)})
    assert "| Starlette request, relative to the floor | at most 1.5 | 1.5 | yes |" in text
    assert "| Flask request, relative to the floor | at most 1.3 | not measured | ? |" in text
    assert not Goal("more", 2, lambda figures: 0.0, is_minimum=True).is_reached(1.9)


def test_the_document_keeps_its_text_and_gets_new_tables() -> None:
    new = result_table(ASGI, result_of(bare=10.0, floor=12.0, ours=13.0))
    old = result_table(ASGI, result_of(bare=1.0))
    page = f"Text.\n\n<!-- asgi -->\n{old}\nMore.\n\n<!-- wsgi -->\n{old}"
    assert fill_page(page, {"asgi": new}) == page.replace(old, new, 1)
    assert fill_page("<!-- asgi -->\n\nText.\n", {"asgi": new}) == f"<!-- asgi -->\n{new}\nText.\n"


def test_only_saved_results_get_a_section(tmp_path: Path) -> None:
    result = result_of(bare=10.0, floor=12.0, ours=13.0)
    results.save_result(result, "", tmp_path)
    assert sections(tmp_path) == {"asgi": result_table(ASGI, result)}
