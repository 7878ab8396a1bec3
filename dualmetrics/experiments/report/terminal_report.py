"""A comparison on a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.formatting import gate_cells, gate_headers, gate_note
from dualmetrics.experiments.report.summary import describe_window, title, verdict_reason
from dualmetrics.experiments.verdict import Verdict

COLORS = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.INVALID: "bold magenta",
}
CHECK_COLORS = {"ok": "green", "waiting": "yellow", "broken": "bold red"}
STATE_COLORS = {"within": "green", "worse": "bold red", "open": "yellow"}


def print_report(comparison: Comparison, console: Console) -> None:
    """Print the whole comparison. The verdict comes last, next to the prompt."""
    console.print(Group(*_parts(comparison)))


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield f"[bold]{escape(title(comparison))}[/]"
    yield describe_window(comparison)
    yield _gate_table(comparison)
    for gate in comparison.gates:
        yield f"[dim]{escape(gate_note(gate))}[/]"
    if comparison.routes:
        yield _route_table(comparison)
    for check in comparison.checks:
        yield f"[{CHECK_COLORS[check.state]}]{check.state}[/] {check.name}: {escape(check.seen)}"
    for note in comparison.notes:
        yield f"[dim]{escape(note)}[/]"
    verdict = comparison.verdict
    yield f"[{COLORS[verdict]}]{verdict.name}[/] {escape(verdict_reason(comparison))}"


def _gate_table(comparison: Comparison) -> Table:
    table = Table(*gate_headers(comparison))
    for gate in comparison.gates:
        *values, state = gate_cells(comparison, gate)
        table.add_row(*map(escape, values), f"[{STATE_COLORS[state]}]{state}[/]")
    return table


def _route_table(comparison: Comparison) -> Table:
    headers = gate_headers(comparison)[:-1]
    caption = "routes" if comparison.question.gate_routes else "routes, for information only"
    table = Table("route", *headers, "q", title=caption, title_justify="left")
    for each in comparison.routes:
        values = [escape(value) for value in gate_cells(comparison, each.gate)[:-1]]
        style = "[bold]" if each.q <= comparison.question.margins.alpha else "[dim]"
        table.add_row(escape(each.route), *values, f"{style}{each.q:.2g}[/]")
    return table


def terminal_text(comparison: Comparison) -> str:
    """Return the report without colors, for a file."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as capture:
        print_report(comparison, console)
    return capture.get()
