"""The plots of the report, as SVG."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import TIME_UNITS, position_in_margins
from dualmetrics.experiments.statistics.arrays import Array

BASELINE, CANDIDATE, MARGIN = "#4878a8", "#d1731f", "#b02a2a"
REACH = 4.0
"""Effects are drawn up to so many margins at least."""
SETTINGS = {"svg.hashsalt": "dualmetrics", "font.size": 9, "svg.fonttype": "none"}


def plot_over_time(comparison: Comparison) -> str:
    """Each gate's effect with its interval, as it stood after each block."""
    story = comparison.over_time()
    figure = Figure(figsize=(9, 2.1 * len(comparison.gates)), layout="constrained")
    axes = figure.subplots(len(comparison.gates), 1, sharex=True, squeeze=False)[:, 0]
    size, unit = next(each for each in TIME_UNITS if comparison.window.seconds >= 2 * each[0] or each[0] == 1)
    times = [(at - comparison.window.start) / size for at, _ in story]
    for row, axis in enumerate(axes):
        _effect(axis, times, [gates[row] for _, gates in story])
    axes[-1].set_xlabel(f"{unit} since the start")
    return to_svg(figure)


def _effect(axis: Axes, times: Sequence[float], gates: Sequence[Gate]) -> None:
    scale = 100 if gates[0].unit == "difference" else 1
    middle, low, high = (scale * _column(gates, name) for name in ("effect", "lower", "upper"))
    none, limit = gates[0].none * scale, gates[0].limit * scale
    last = abs(middle[-1] - none) if np.isfinite(middle[-1]) else 0.0
    reach = max(REACH * (limit - none), 1.5 * last)
    axis.fill_between(times, low, high, color=CANDIDATE, alpha=0.25)
    axis.plot(times, middle, color=CANDIDATE, marker="." if len(times) == 1 else None)
    axis.axhline(none, color="grey", linewidth=0.8)
    axis.axhline(limit, color=MARGIN, linewidth=1, linestyle="--")
    axis.set_ylim(none - reach, none + reach)
    axis.set_title(gates[0].name + (", points" if scale == 100 else ", factor"), loc="left", fontsize=9)


def _column(gates: Sequence[Gate], name: str) -> Array:
    """One number of each gate; what is infinite lies outside of any picture."""
    found: Array = np.array([getattr(gate, name) for gate in gates], dtype=np.float64)
    return np.clip(found, -100.0, 100.0)


def plot_latency(comparison: Comparison) -> str:
    """The share of requests slower than a duration, of both variants, at the buckets' bounds."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axis = figure.subplots()
    names = comparison.question.baseline, comparison.question.candidate
    for name, tally, colour in zip(names, comparison.evidence.total, (BASELINE, CANDIDATE), strict=True):
        at, share = _above(comparison.evidence.bounds, tally.durations.sum(axis=0))
        axis.plot(
            at / comparison.names.per_second * 1000, share, color=colour, marker="o", markersize=3, label=name
        )
    axis.set(xscale="log", yscale="log", xlabel="milliseconds", ylabel="share of slower requests")
    axis.grid(visible=True, which="both", alpha=0.2)
    axis.legend()
    return to_svg(figure)


def _above(bounds: Array, counts: Array) -> tuple[Array, Array]:
    share = 1 - counts.cumsum()[:-1] / max(counts.sum(), 1)
    shown = share > 1e-9
    return bounds[shown], share[shown]


def plot_gates(comparison: Comparison) -> str:
    """All gates, and the routes', in units of their margins: left of 1 is within."""
    rows = [(gate.name, gate) for gate in comparison.gates]
    rows += [(f"{each.route}  {each.gate.name}", each.gate) for each in comparison.routes]
    figure = Figure(figsize=(9, 0.9 + 0.3 * len(rows)), layout="constrained")
    axis = figure.subplots()
    positions = [[position_in_margins(gate, each) for each in _ends(gate)] for _, gate in rows]
    reach = max(REACH, 1.3 * max(middle for _, middle, _ in positions))
    for at, (low, middle, high) in enumerate(np.clip(positions, -reach, reach)):
        axis.plot([low, high], [at, at], color=CANDIDATE, linewidth=2)
        axis.plot([middle], [at], color=CANDIDATE, marker="s")
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.axvline(1, color=MARGIN, linewidth=1, linestyle="--")
    axis.set_yticks(range(len(rows)), [_unmarked(name) for name, _ in rows])
    axis.set(xlim=(-reach, reach), xlabel="effect in margins: 0 is none, 1 is the margin")
    axis.set_ylim(len(rows) - 0.5, -0.5)
    return to_svg(figure)


def _ends(gate: Gate) -> Iterable[float]:
    middle = gate.effect if np.isfinite(gate.effect) else gate.none
    return gate.lower, middle, gate.upper


def _unmarked(text: str) -> str:
    """Dollars would be taken for formulas."""
    return text.replace("$", r"\$")


def to_svg(figure: Figure) -> str:
    """The picture, to be put into a page."""
    with rc_context(SETTINGS):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
