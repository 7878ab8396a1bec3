"""A comparison on a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import groupby

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from dualmetrics.cli.console import PlainConsole, make_table, plain
from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.advice import would_change
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
STATE_COLORS = {
    "within": "green",
    "reached": "green",
    "worse": "bold red",
    "missed": "bold red",
    "open": "yellow",
}


def print_report(comparison: Comparison, console: Console) -> None:
    """Print the whole comparison. The verdict comes last, next to the prompt."""
    for part in _parts(comparison):
        console.print(part)


def text_report(comparison: Comparison) -> str:
    """Return the report without colors, for a file."""
    text = io.StringIO()
    print_report(comparison, PlainConsole(file=text))
    return text.getvalue()


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield plain(title(comparison), "bold")
    yield plain(describe_window(comparison))
    yield _gate_table(comparison)
    for gate in comparison.gates:
        yield plain(gate_note(gate), "dim")
    yield from _route_tables(comparison)
    for check in comparison.checks:
        state = Text(check.state, CHECK_COLORS[check.state])
        yield Text.assemble(state, plain(f" {check.name}: {check.seen}"))
    for note in comparison.notes:
        yield plain(note, "dim")
    for change in would_change(comparison):
        yield plain(change, "dim")
    verdict = comparison.verdict
    yield Text.assemble((verdict.name, COLORS[verdict]), plain(f" {verdict_reason(comparison)}"))


def _gate_table(comparison: Comparison) -> Table:
    table = make_table(*gate_headers(comparison))
    for gate in comparison.gates:
        *values, state = gate_cells(comparison, gate)
        table.add_row(*map(plain, values), Text(state, STATE_COLORS[state]))
    return table


def _route_tables(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield a table for each route, so that the route has a line of its own, however long it is."""
    if not comparison.routes:
        return
    purpose = "routes:" if comparison.question.gate_routes else "routes, for information only:"
    yield Text(purpose, "bold")
    for route, gates in groupby(comparison.routes, key=lambda each: each.route):
        table = make_table(*gate_headers(comparison)[:-1], "q")
        for each in gates:
            values = gate_cells(comparison, each.gate)[:-1]
            style = "bold" if each.q <= comparison.question.margins.alpha else "dim"
            table.add_row(*map(plain, values), Text(f"{each.q:.2g}", style))
        yield plain(f"route {route}")
        yield table
