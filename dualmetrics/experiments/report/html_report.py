"""A comparison as one self-contained HTML page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report import plots
from dualmetrics.experiments.report.formatting import gate_cells, gate_headers, gate_note
from dualmetrics.experiments.report.summary import describe_window, title, verdict_reason
from dualmetrics.runtime.printable import printable

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222 }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #ddd }
.verdict { padding: .8rem 1rem; border-radius: .4rem; color: #fff; font-size: 1.1rem }
.PASS { background: #23743b } .FAIL { background: #b02a2a }
.INCONCLUSIVE { background: #8a6100 } .INVALID { background: #6c3483 }
.within, .reached { color: #23743b } .open { color: #8a6100 }
.worse, .missed { color: #b02a2a; font-weight: bold }
.small { color: #555; font-size: .9rem } svg { max-width: 100%; height: auto }
"""
STATES = ("within", "reached", "worse", "missed", "open")


def html_report(comparison: Comparison) -> str:
    """Return the whole page. It loads no other resource."""
    head = f'<meta charset="utf-8"><title>{_escape(title(comparison))}</title><style>{STYLE}</style>'
    body = "\n".join(_sections(comparison))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _sections(comparison: Comparison) -> Iterator[str]:
    yield from _summary(comparison)
    yield _table(gate_headers(comparison), (gate_cells(comparison, gate) for gate in comparison.gates))
    yield _list(map(gate_note, comparison.gates))
    yield "<h2>Gates</h2>" + plots.plot_gates(comparison)
    yield "<h2>Effect over time</h2>" + plots.plot_over_time(comparison)
    if len(comparison.evidence.bounds):
        yield "<h2>Latency</h2>" + plots.plot_latency(comparison)
    if comparison.routes:
        yield "<h2>Routes</h2>" + _route_table(comparison)
    yield "<h2>Validity</h2>" + _list(
        f"{check.state}: {check.name}: {check.seen}" for check in comparison.checks
    )


def _summary(comparison: Comparison) -> Iterator[str]:
    verdict = comparison.verdict.name
    notes = "; ".join(comparison.notes)
    yield f"<h1>{_escape(title(comparison))}</h1>"
    yield f'<p class="verdict {verdict}"><b>{verdict}</b> {_escape(verdict_reason(comparison))}</p>'
    yield f'<p class="small">{_escape(describe_window(comparison))}. {_escape(notes)}.</p>'


def _route_table(comparison: Comparison) -> str:
    rows = (
        (each.route, *gate_cells(comparison, each.gate)[:-1], f"{each.q:.2g}") for each in comparison.routes
    )
    return _table(("route", *gate_headers(comparison)[:-1], "q"), rows)


def _list(lines: Iterable[str]) -> str:
    return '<ul class="small">' + "".join(f"<li>{_escape(line)}</li>" for line in lines) + "</ul>"


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_escape(header)}</th>" for header in headers)
    body = ("".join(f"<td{_state_class(cell)}>{_escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in body) + "</table>"


def _state_class(cell: str) -> str:
    return f' class="{cell}"' if cell in STATES else ""


def _escape(text: str) -> str:
    """Names come from labels, which may have any character; HTML allows no control characters."""
    return html.escape(printable(text))
