"""A comparison as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.advice import rests_on, would_change
from dualmetrics.experiments.report.formatting import gate_cells, gate_headers
from dualmetrics.experiments.report.gate_cards import gate_cards
from dualmetrics.experiments.report.html_parts import escape, make_html_list, make_html_table
from dualmetrics.experiments.report.latency_plot import plot_latency
from dualmetrics.experiments.report.route_plot import plot_routes
from dualmetrics.experiments.report.summary import describe_window, headline, title, verdict_reason
from dualmetrics.experiments.verdict import Verdict

CHECKS = {
    "scrapes": "were the pages of both variants read often enough?",
    "overlap": "did both variants run during the whole time?",
    "split": "did each variant get its share of the requests?",
    "A/A": "do two variants of the same version agree?",
    "buckets": "do the histograms of both have the same bounds?",
}
"""What each check asks."""

LATENCY_WORDS = (
    "For each duration, the share of the requests that took longer. The lower curve is the faster variant."
)
ROUTE_WORDS = (
    "Each bar is the range of the true effect of one gate on one route, measured in margins: 0 is no "
    "difference, and to the right of 1 it is worse than is tolerated. An arrow stands for what is outside."
)
READING = (
    "A point is a percentage point: from 0.5 % to 0.7 % is 0.2 points. 1.1 x is 1.1 times, so 10 % more.",
    "The margin is what was declared to be tolerable before the experiment.",
    "A gate holds if all of the range of its true effect is better than the margin.",
    "PASS: all gates hold. FAIL: at least one is surely worse. INCONCLUSIVE: neither is known yet.",
    "INVALID: the data cannot be used, whatever the gates say.",
)
"""How to read the page."""


def html_report(comparison: Comparison) -> str:
    """Return the whole page. It loads no other resource."""
    style = (resources.files(__package__) / "page.css").read_text(encoding="utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>{comparison.verdict.name}: {escape(title(comparison))}</title><style>{style}</style>"
    body = "\n".join(_sections(comparison))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _sections(comparison: Comparison) -> Iterator[str]:
    yield from _summary(comparison)
    yield f"<h2>The gates</h2>{_undecided_words(comparison)}"
    yield from gate_cards(comparison)
    if len(comparison.evidence.bounds):
        yield _figure("How long requests took", plot_latency(comparison, LATENCY_WORDS), LATENCY_WORDS)
    if comparison.routes:
        yield _figure("Routes", plot_routes(comparison.routes, ROUTE_WORDS), ROUTE_WORDS)
        yield _route_words(comparison) + _route_table(comparison)
    yield "<h2>Checks of the data</h2>" + _check_table(comparison)
    yield "<h2>How to read this page</h2>" + make_html_list(READING)


def _summary(comparison: Comparison) -> Iterator[str]:
    verdict = comparison.verdict
    yield f"<h1>{escape(title(comparison))}</h1>"
    sentence = f"{headline(comparison)} {escape(verdict_reason(comparison))}"
    yield f'<p class="verdict {verdict.name}"><b>{verdict.name}</b>{sentence}</p>'
    yield f'<p class="small">{escape(describe_window(comparison))}</p>'
    parts = [("What this rests on", rests_on(comparison)), ("What would change it", would_change(comparison))]
    lists = [(heading, list(lines)) for heading, lines in parts]
    sections = (
        f"<section><h2>{heading}</h2>{make_html_list(lines)}</section>" for heading, lines in lists if lines
    )
    yield f'<div class="columns">{"".join(sections)}</div>'


def _undecided_words(comparison: Comparison) -> str:
    """Say so if the gates, whatever their states, do not make the verdict."""
    if comparison.verdict is Verdict.INVALID:
        return '<p class="small">The data cannot be used, so the gates decide nothing.</p>'
    if comparison.window.early and not comparison.question.sequential:
        return '<p class="small">This is an early look, so the gates decide nothing yet.</p>'
    return ""


def _figure(heading: str, picture: str, words: str) -> str:
    return f"<h2>{heading}</h2><figure>{picture}<figcaption>{words}</figcaption></figure>"


def _route_words(comparison: Comparison) -> str:
    alpha = comparison.question.margins.alpha
    purpose = (
        "A single route may make the comparison FAIL."
        if comparison.question.gate_routes
        else "The routes are for information; they do not change the verdict."
    )
    return (
        f'<p class="small">{purpose} q is the probability of so bad a result by chance, corrected for the '
        f"number of routes: below {alpha:g} the route is probably worse.</p>"
    )


def _route_table(comparison: Comparison) -> str:
    rows = (
        (each.route, *gate_cells(comparison, each.gate)[:-1], f"{each.q:.2g}") for each in comparison.routes
    )
    return make_html_table(("route", *gate_headers(comparison)[:-1], "q"), rows)


def _check_table(comparison: Comparison) -> str:
    rows: Iterable[tuple[str, ...]] = (
        (f"{check.name}: {CHECKS.get(check.name, '')}", check.state, check.seen)
        for check in comparison.checks
    )
    return make_html_table(("check", "state", "seen"), rows)
