"""Formats a result as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.question import Question
from benchmarks.results import Measurement, Result

_SHORT_NAMES = {"median": "median", "minimum": "min", "p99": "p99", "maximum": "max"}


def result_table(question: Question, result: Result) -> str:
    """A caption (title, unit, time, machine and versions) and the table."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    source = f"{result.form} form, {result.time}, {result.machine}; {versions}"
    caption = f"{question.title}. Unit: {question.unit}. <sub>{source}</sub>"
    return f"{caption}\n\n" + "".join(f"{line}\n" for line in _lines(question, result))


def _lines(question: Question, result: Result) -> Iterator[str]:
    columns = list(dict.fromkeys(name for row in result.measurements for name in row.columns)) or ["-"]
    statistics = ", ".join(_SHORT_NAMES[name] for name in question.statistics)
    case_head = [question.case] if question.case else []
    yield _line([*case_head, "", *(f"{name or question.unit} ({statistics})" for name in columns)])
    yield "|---" * (len(case_head) + 1 + len(columns)) + "|"
    for case in result.cases():
        rows = [row for row in result.measurements if row.case == case]
        for row in rows:
            case_cell = [f"{case:,}"] if question.case else []
            yield _line([*case_cell, row.contestant, *_cells(question, rows, row, columns)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(question: Question, rows: list[Measurement], row: Measurement, columns: list[str]) -> list[str]:
    if row.failure:
        return [f"failed: {row.failure}"[:200], *[""] * (len(columns) - 1)]
    return [_cell(question, rows, row, column) for column in columns]


def _cell(question: Question, rows: list[Measurement], row: Measurement, column: str) -> str:
    """The statistics, what is added to the base, and that cost as a multiple of the floor's."""
    values = row.columns.get(column)
    if values is None:
        return ""
    text = ", ".join(format_figure(values[name]) for name in question.statistics)
    base, floor = _median(rows, question.base, column), _median(rows, question.floor, column)
    added = values["median"] - (base or 0.0)
    if base is not None and row.contestant != question.base:
        text += f"; {'+' * (added >= 0)}{format_figure(added)}"
    floor_added = (floor or 0.0) - (base or 0.0)
    if floor_added > 0 and row.contestant not in (question.base, question.floor):
        text += f"; x{added / floor_added:.2f}"
    return text


def _median(rows: list[Measurement], contestant: str, column: str) -> float | None:
    for row in rows:
        if row.contestant == contestant and column in row.columns:
            return row.columns[column]["median"]
    return None


def format_figure(value: float) -> str:
    """Three significant figures, where the number is below 1,000."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
