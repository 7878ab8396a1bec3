"""A result as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.question import Question
from benchmarks.results import Result, Row

SHORT = {"median": "median", "minimum": "min", "p99": "p99", "maximum": "max"}


def table(question: Question, found: Result) -> str:
    """The title, what was measured on what, and a table a case."""
    return "\n".join(_lines(question, found)) + "\n"


def _lines(question: Question, found: Result) -> Iterator[str]:
    yield f"{question.title}. Unit: {question.unit}."
    for case in found.cases():
        rows = [row for row in found.rows if row.case == case]
        yield ""
        if question.case:
            yield f"**{case:,} {question.case}**\n"
        yield from _case(question, rows)
    yield ""
    listed = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    yield f"<sub>{found.form} form, {found.taken}, {found.machine}; {listed}</sub>"


def _case(question: Question, rows: list[Row]) -> Iterator[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.columns))
    statistics = ", ".join(SHORT[each] for each in question.shown)
    heads = [f"{name or question.unit} ({statistics})" for name in names]
    yield "| | " + " | ".join(heads or ["-"]) + " |"
    yield "|---" * (len(heads or ["-"]) + 1) + "|"
    for row in rows:
        cells = [_cell(question, rows, row, name) for name in names]
        if row.failure:
            cells = [f"failed: {row.failure}"[:200], *[""] * (len(names) - 1)]
        yield f"| {row.contestant} | " + " | ".join(cells) + " |"


def _cell(question: Question, rows: list[Row], row: Row, name: str) -> str:
    """The statistics, what is added to the base, and how many times the floor that is."""
    values = row.columns.get(name)
    if values is None:
        return ""
    text = ", ".join(figure(values[each]) for each in question.shown)
    base, floor = _median(rows, question.base, name), _median(rows, question.floor, name)
    added = values["median"] - (base or 0.0)
    if base is not None and row.contestant != question.base:
        text += f"; {'+' * (added >= 0)}{figure(added)}"
    least = (floor or 0.0) - (base or 0.0)
    if least > 0 and row.contestant not in (question.base, question.floor):
        text += f"; x{added / least:.2f}"
    return text


def _median(rows: list[Row], contestant: str, name: str) -> float | None:
    for row in rows:
        if row.contestant == contestant and name in row.columns:
            return row.columns[name]["median"]
    return None


def figure(value: float) -> str:
    """Three figures, as far as they go."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
