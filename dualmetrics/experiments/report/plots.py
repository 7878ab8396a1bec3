"""The plots of the HTML report, as SVG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import TIME_UNITS, position_in_margins
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.runtime.printable import printable

BASELINE_COLOR, CANDIDATE_COLOR, MARGIN_COLOR = "#4878a8", "#d1731f", "#b02a2a"
MIN_REACH = 4.0
"""The axis of an effect reaches at least this many margins to both sides."""
DEFAULT_REACH = {"difference": 0.5, "factor": 0.05}
"""What stands for the margin of a goal that has none, in points or as a part."""
MAX_NAME = 70
SVG_SETTINGS = {
    "svg.hashsalt": "dualmetrics",
    "font.size": 9,
    "svg.fonttype": "none",
    "text.parse_math": False,  # names of others may have dollar signs
}


@rc_context(SVG_SETTINGS)
def plot_over_time(comparison: Comparison) -> str:
    """Plot each gate's effect and interval as they were after each block."""
    stages = comparison.over_time()
    figure = Figure(figsize=(9, 2.1 * len(comparison.gates)), layout="constrained")
    axes = figure.subplots(len(comparison.gates), 1, sharex=True, squeeze=False)[:, 0]
    size, unit = _time_unit(comparison.window.seconds)
    times = [(end - comparison.window.start) / size for end, _ in stages]
    for row, axis in enumerate(axes):
        _plot_effect(axis, times, [gates[row] for _, gates in stages])
    axes[-1].set_xlabel(f"{unit} since the start")
    return to_svg(figure)


def _time_unit(seconds: float) -> tuple[float, str]:
    return next((size, unit) for size, unit in TIME_UNITS if seconds >= 2 * size or size == 1)


def _plot_effect(axis: Axes, times: Sequence[float], gates: Sequence[Gate]) -> None:
    scale = 100 if gates[0].unit == "difference" else 1
    effect, lower, upper = (scale * _clipped(gates, name) for name in ("effect", "lower", "upper"))
    none, limit = gates[0].none * scale, gates[0].limit * scale
    last = abs(effect[-1] - none) if np.isfinite(effect[-1]) else 0.0
    margin = abs(limit - none) or DEFAULT_REACH[gates[0].unit]
    reach = max(MIN_REACH * margin, 1.5 * last)
    axis.fill_between(times, lower, upper, color=CANDIDATE_COLOR, alpha=0.25)
    axis.plot(times, effect, color=CANDIDATE_COLOR, marker="." if len(times) == 1 else None)
    axis.axhline(none, color="grey", linewidth=0.8)
    axis.axhline(limit, color=MARGIN_COLOR, linewidth=1, linestyle="--")
    axis.set_ylim(none - reach, none + reach)
    axis.set_title(gates[0].name + (", points" if scale == 100 else ", factor"), loc="left", fontsize=9)


def _clipped(gates: Sequence[Gate], name: str) -> Array:
    """Return one number of each gate. Infinite numbers become finite, but stay outside the plot."""
    numbers: Array = np.array([getattr(gate, name) for gate in gates], dtype=np.float64)
    return np.clip(numbers, -100.0, 100.0)


@rc_context(SVG_SETTINGS)
def plot_latency(comparison: Comparison) -> str:
    """Plot the share of requests slower than each bucket bound, for both variants."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axis = figure.subplots()
    names = comparison.question.baseline, comparison.question.candidate
    colors = BASELINE_COLOR, CANDIDATE_COLOR
    lines = []
    for counts, color in zip(comparison.evidence.total, colors, strict=True):
        bounds, share = _share_above(comparison.evidence.bounds, counts.durations.sum(axis=0))
        milliseconds = bounds / comparison.names.per_second * 1000
        lines += axis.plot(milliseconds, share, color=color, marker="o", markersize=3)
    axis.set(xscale="log", yscale="log", xlabel="milliseconds", ylabel="share of slower requests")
    axis.grid(visible=True, which="both", alpha=0.2)
    legend = axis.legend(lines, colors)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(_short(name))  # as a label, a name that begins with _ would be left out
    return to_svg(figure)


def _share_above(bounds: Array, counts: Array) -> tuple[Array, Array]:
    """Return the bounds with the share of values above them. Shares of 0 cannot be on a log scale."""
    share = 1 - counts.cumsum()[:-1] / max(counts.sum(), 1)
    positive = share > 1e-9
    return bounds[positive], share[positive]


@rc_context(SVG_SETTINGS)
def plot_gates(comparison: Comparison) -> str:
    """Plot all gates, those of the routes too, in units of their margins: left of 1 is within."""
    rows = [(gate.name, gate) for gate in comparison.gates]
    rows += [(f"{each.route}  {each.gate.name}", each.gate) for each in comparison.routes]
    figure = Figure(figsize=(9, 0.9 + 0.3 * len(rows)), layout="constrained")
    axis = figure.subplots()
    positions = [[position_in_margins(gate, effect) for effect in _effects(gate)] for _, gate in rows]
    reach = max(MIN_REACH, 1.3 * max(effect for _, effect, _ in positions))
    for row, (lower, effect, upper) in enumerate(np.clip(positions, -reach, reach)):
        axis.plot([lower, upper], [row, row], color=CANDIDATE_COLOR, linewidth=2)
        axis.plot([effect], [row], color=CANDIDATE_COLOR, marker="s")
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.axvline(1, color=MARGIN_COLOR, linewidth=1, linestyle="--")
    axis.set_yticks(range(len(rows)), [_short(name) for name, _ in rows])
    axis.set(xlim=(-reach, reach), xlabel="effect in margins: 0 is no effect, 1 is the margin")
    axis.set_ylim(len(rows) - 0.5, -0.5)
    return to_svg(figure)


def _effects(gate: Gate) -> Iterable[float]:
    effect = gate.effect if np.isfinite(gate.effect) else gate.none
    return gate.lower, effect, gate.upper


def _short(name: str) -> str:
    """Return a name that leaves room for the plot. The table of the report has the whole name."""
    text = printable(name)
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME // 2 - 1]}...{text[-MAX_NAME // 2 + 2 :]}"


def to_svg(figure: Figure) -> str:
    """Return the figure as an SVG element that can be put into a page. Equal figures give equal text."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's font draws the text
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
