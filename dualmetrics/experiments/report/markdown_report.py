"""A comparison as Markdown, for a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterable

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.formatting import (
    HEADERS,
    describe_window,
    gate_cells,
    title,
    verdict_reason,
    visible_effect,
)


def markdown_report(comparison: Comparison) -> str:
    """Verdict, gates, routes and checks."""
    parts = [
        f"## {comparison.verdict.name}: {_plain(title(comparison))}",
        f"{_plain(verdict_reason(comparison))} {describe_window(comparison)}.",
        _table(HEADERS, (gate_cells(comparison, gate) for gate in comparison.gates)),
        "\n".join(
            f"- {gate.name}: {gate.note}; now visible: {visible_effect(gate)}" for gate in comparison.gates
        ),
    ]
    if comparison.routes:
        rows = (
            (f"`{_plain(each.route)}`", *gate_cells(comparison, each.gate)[:-1], f"{each.q:.2g}")
            for each in comparison.routes
        )
        parts.append(_table(("route", *HEADERS[:-1], "q"), rows))
    parts.append(
        "\n".join(
            f"- {'ok' if each.holds else '**broken**'}: {each.name}: {each.seen}"
            for each in comparison.checks
        )
    )
    parts.append("\n".join(f"- {note}" for note in comparison.notes))
    return "\n\n".join(parts) + "\n"


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headers), *([cell or " " for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Names come from labels: they make no table, no code and no HTML of their own."""
    for mark, stands in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "&#96;"), ("\n", " ")):
        text = text.replace(mark, stands)
    return text
