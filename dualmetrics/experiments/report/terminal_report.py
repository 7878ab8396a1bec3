"""A comparison on a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.formatting import (
    HEADERS,
    describe_window,
    gate_cells,
    title,
    verdict_reason,
    visible_effect,
)
from dualmetrics.experiments.verdict import Verdict

COLOURS = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.INVALID: "bold magenta",
}
STATES = {"within": "green", "worse": "bold red", "open": "yellow"}


def print_report(comparison: Comparison, console: Console) -> None:
    """Print everything, the verdict last, where one looks first."""
    console.print(Group(*_parts(comparison)))


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield f"[bold]{escape(title(comparison))}[/]"
    yield describe_window(comparison)
    yield _gates(comparison)
    for gate in comparison.gates:
        yield f"[dim]{escape(gate.name)}: {escape(gate.note)}; visible now: {visible_effect(gate)}[/]"
    if comparison.routes:
        yield _routes(comparison)
    for check in comparison.checks:
        mark = "[green]ok[/]" if check.holds else "[bold red]broken[/]"
        yield f"{mark} {check.name}: {escape(check.seen)}"
    for note in comparison.notes:
        yield f"[dim]{escape(note)}[/]"
    yield f"[{COLOURS[comparison.verdict]}]{comparison.verdict.name}[/] {escape(verdict_reason(comparison))}"


def _gates(comparison: Comparison) -> Table:
    table = Table(*HEADERS)
    for gate in comparison.gates:
        *values, state = gate_cells(comparison, gate)
        table.add_row(*map(escape, values), f"[{STATES[state]}]{state}[/]")
    return table


def _routes(comparison: Comparison) -> Table:
    table = Table("route", *HEADERS[:-1], "q", title="routes, for information", title_justify="left")
    for each in comparison.routes:
        values = [escape(value) for value in gate_cells(comparison, each.gate)[:-1]]
        shade = "[bold]" if each.q <= comparison.question.margins.alpha else "[dim]"
        table.add_row(escape(each.route), *values, f"{shade}{each.q:.2g}[/]")
    return table


def terminal_text(comparison: Comparison) -> str:
    """The same without colour, for a file."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as printed:
        print_report(comparison, console)
    return printed.get()
