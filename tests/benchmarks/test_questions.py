"""Every question can be asked, who fails does not hold up the others, and the page gets its tables."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.document import filled
from benchmarks.goals import Goal, verdicts
from benchmarks.question import QUESTIONS, Contestant, Effort, Measure, Question, load
from benchmarks.real_servers import PER_SECOND
from benchmarks.results import Result
from benchmarks.runner import run
from benchmarks.tables import table

SERVERS = {"uvicorn", "gunicorn"}


def ask(directory: Path, *questions: str) -> dict[str, Result]:
    """The results of a tiny form in an interpreter of its own."""
    command = [sys.executable, "-m", "benchmarks", *questions, "--tiny", "--results", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return results.read(directory)


@pytest.mark.server
def test_every_question_is_answered_by_ours_and_the_floor(tmp_path: Path) -> None:
    questions = [name for name in QUESTIONS if name not in SERVERS]
    found = ask(tmp_path, *questions)
    for name in questions:
        rows = {row.contestant: row for row in found[name].rows}
        assert any(each.startswith("ours") for each in rows)
        assert {load(name).floor, load(name).base} - {""} <= set(rows)
        values = [each["median"] for row in rows.values() for each in row.columns.values()]
        assert values, name
        assert all(math.isfinite(value) for value in values)


@pytest.mark.server
def test_real_servers_are_asked_or_skipped_aloud(tmp_path: Path) -> None:
    for found in ask(tmp_path, *SERVERS).values():
        for row in found.rows:
            assert row.failure == "skipped: wrk is not installed" or row.columns[PER_SECOND]["median"] > 0


def test_a_contestant_that_fails_is_reported_and_the_others_go_on() -> None:
    asked = load("asgi")
    stranger = Contestant("stranger", failing)
    rows = {row.contestant: row for row in run(with_contestant(asked, stranger), "quick")}
    assert "no contestant" in str(rows["stranger"].failure)
    assert rows["bare"].failure is None
    assert rows["bare"].columns[""]["median"] > 0


def failing(case: int) -> Measure:
    """Never called: the contestant's process does not know it."""
    raise NotImplementedError


def with_contestant(question: Question, stranger: Contestant) -> Question:
    """The question with the bare app and one that nobody else knows of."""
    contestants = (question.contestant("bare"), stranger)
    return Question(
        question.name, question.title, question.unit, contestants, {"quick": Effort(1, 1, 20)}, base="bare"
    )


def test_a_table_says_what_is_added_and_how_many_times_the_floor_it_is() -> None:
    question = load("asgi")
    rows = [
        results.row(0, name, [{"": value}], None)
        for name, value in (("bare", 10.0), ("floor", 12.0), ("ours", 13.0))
    ]
    text = table(question, results.result(question, "tiny", [*rows, results.row(0, "gone", [], "it ended")]))
    assert "| ours | 13.0, 13.0; +3.00; x1.50 |" in text
    assert "| gone | failed: it ended |" in text


def test_goals_are_judged_or_said_to_be_unmeasured() -> None:
    question = load("asgi")
    rows = [
        results.row(0, name, [{"": value}], None)
        for name, value in (("bare", 10.0), ("floor", 12.0), ("ours", 13.0))
    ]
    text = verdicts({"asgi": results.result(question, "tiny", rows)})
    assert "| ASGI request: times the floor | at most 1.5 | 1.5 | yes |" in text
    assert "| WSGI request: times the floor | at most 1.3 | not measured | ? |" in text
    assert not Goal("more", 2, lambda figures: 0.0, least=True).reached(1.9)


def test_the_page_keeps_its_words_and_gets_new_tables() -> None:
    page = "Words.\n<!-- asgi -->\nold\n<!-- end -->\nMore.\n"
    assert filled(page, {"asgi": "new\n"}) == "Words.\n<!-- asgi -->\n\nnew\n\n<!-- end -->\nMore.\n"
    with pytest.raises(KeyError):
        filled(page, {})
