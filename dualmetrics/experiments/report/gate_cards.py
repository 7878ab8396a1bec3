"""Each gate of the HTML report: its result in words and as a plot, and how it developed."""

from __future__ import annotations

from collections.abc import Iterator

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.effect_plots import MIN_STAGES, plot_effect, plot_over_time
from dualmetrics.experiments.report.explanations import STATE_WORDS, explain_gate, remarks
from dualmetrics.experiments.report.formatting import confidence, gate_state, is_interval_known
from dualmetrics.experiments.report.html_parts import escape, make_html_list

NOW_WORDS = (
    "The dot is the measured effect, the bar the range of the true one. The gate holds if the whole bar lies "
    "in the green part."
)
OVER_TIME_WORDS = (
    "The line is the effect of all requests up to each time, the band its range then. Without a band, the "
    "range was not known."
)


def gate_cards(comparison: Comparison) -> Iterator[str]:
    """Yield a card for each gate."""
    stages = comparison.over_time()
    times = [end - comparison.window.start for end, _ in stages]
    for row, gate in enumerate(comparison.gates):
        state = gate_state(comparison, gate)
        heading = f'<h3>{escape(gate.name)} <span class="state {state}">{STATE_WORDS[state]}</span></h3>'
        plots = _now(comparison, gate)
        if len(stages) >= MIN_STAGES:
            plots += _over_time(comparison, times, [gates[row] for _, gates in stages])
        sentences = escape(" ".join(explain_gate(comparison, gate)))
        notes = f'<div class="small">{make_html_list(remarks(gate))}</div>'
        yield (
            f'<section class="card">{heading}<p>{sentences}</p><div class="columns">{plots}</div>'
            f"{notes}</section>"
        )


def _now(comparison: Comparison, gate: Gate) -> str:
    name = f"range ({confidence(comparison)})" if is_interval_known(gate) else "range unknown"
    picture = plot_effect(gate, name, escape(f"{gate.name}: {NOW_WORDS}"))
    return f"<figure>{picture}<figcaption>{NOW_WORDS}</figcaption></figure>"


def _over_time(comparison: Comparison, times: list[float], gates: list[Gate]) -> str:
    words = escape(f"{gates[0].name}: {OVER_TIME_WORDS}")
    picture = plot_over_time(times, gates, comparison.window.seconds, words)
    return f"<figure>{picture}<figcaption>{OVER_TIME_WORDS}</figcaption></figure>"
