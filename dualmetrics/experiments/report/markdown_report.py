"""A comparison as Markdown, for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.formatting import gate_cells, gate_headers, gate_note
from dualmetrics.experiments.report.summary import describe_window, title, verdict_reason
from dualmetrics.runtime.printable import printable


def markdown_report(comparison: Comparison) -> str:
    """Return the verdict, the gates, the routes and the checks."""
    return "\n\n".join(_sections(comparison)) + "\n"


def _sections(comparison: Comparison) -> Iterator[str]:
    yield f"## {comparison.verdict.name}: {_escape(title(comparison))}"
    yield f"{_escape(verdict_reason(comparison))} {describe_window(comparison)}."
    yield _table(gate_headers(comparison), (gate_cells(comparison, gate) for gate in comparison.gates))
    yield _list(map(gate_note, comparison.gates))
    if comparison.routes:
        yield _route_table(comparison)
    yield _list(
        f"{check.state if check.holds else f'**{check.state}**'}: {check.name}: {check.seen}"
        for check in comparison.checks
    )
    yield _list(comparison.notes)


def _route_table(comparison: Comparison) -> str:
    rows = (
        (f"`{_escape(each.route)}`", *gate_cells(comparison, each.gate)[:-1], f"{each.q:.2g}")
        for each in comparison.routes
    )
    return _table(("route", *gate_headers(comparison)[:-1], "q"), rows)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headers), *([cell or " " for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Names come from labels. Escape what Markdown would read as a table, code or HTML."""
    for mark, replacement in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "&#96;")):
        text = text.replace(mark, replacement)
    return printable(text)
