"""A comparison as Markdown, for a comment on a pull request or the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.advice import rests_on, would_change
from dualmetrics.experiments.report.explanations import explain_gate, remarks
from dualmetrics.experiments.report.formatting import gate_cells, gate_headers
from dualmetrics.experiments.report.summary import describe_window, headline, title, verdict_reason
from dualmetrics.runtime.printable import printable

MARKUP = "&<>|`[]*\\~"


def markdown_report(comparison: Comparison) -> str:
    """Return the verdict and its reasons, the gates, the routes and the checks."""
    return "\n\n".join(_sections(comparison)) + "\n"


def _sections(comparison: Comparison) -> Iterator[str]:
    yield f"## {comparison.verdict.name}: {_escape(title(comparison))}"
    yield f"**{headline(comparison)}** {_escape(verdict_reason(comparison))}"
    yield f"{describe_window(comparison)}."
    cells = (map(_escape, gate_cells(comparison, gate)) for gate in comparison.gates)
    yield _table(gate_headers(comparison), cells)
    yield from _titled_list("What this rests on:", rests_on(comparison))
    yield from _titled_list("What would change it:", would_change(comparison))
    yield _details("The gates in words", _explanations(comparison))
    if comparison.routes:
        yield _details(f"{len(comparison.routes)} gates of routes", _route_table(comparison))
    yield _details("Checks of the data", _list(_checks(comparison)))


def _titled_list(heading: str, lines: Iterable[str]) -> Iterator[str]:
    text = _list(map(_escape, lines))
    if text:
        yield heading
        yield text


def _explanations(comparison: Comparison) -> str:
    return _list(
        f"**{_escape(gate.name)}:** {_escape(' '.join([*explain_gate(comparison, gate), *remarks(gate)]))}"
        for gate in comparison.gates
    )


def _checks(comparison: Comparison) -> Iterator[str]:
    for check in comparison.checks:
        state = check.state if check.holds else f"**{check.state}**"
        yield f"{state}: {_escape(f'{check.name}: {check.seen}')}"


def _route_table(comparison: Comparison) -> str:
    rows = (
        (_code(each.route), *gate_cells(comparison, each.gate)[:-1], f"{each.q:.2g}")
        for each in comparison.routes
    )
    return _table(("route", *gate_headers(comparison)[:-1], "q"), rows)


def _details(heading: str, text: str) -> str:
    return f"<details><summary>{heading}</summary>\n\n{text}\n\n</details>"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headers), *([cell or " " for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Names come from labels. Write what Markdown and HTML would take for markup as character references."""
    marked = "".join(f"&#{ord(each)};" if each in MARKUP else each for each in text)
    return printable(marked)


def _code(text: str) -> str:
    """Return a name of others in which no link and no mention of a user is recognized."""
    return f"<code>{_escape(text)}</code>"
