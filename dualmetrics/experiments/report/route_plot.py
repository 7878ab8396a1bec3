"""All gates of all routes, on one scale."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualmetrics.experiments.comparison import RouteGate
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import is_interval_known, position_in_margins
from dualmetrics.experiments.report.svg import (
    STAND_INS,
    WIDTH,
    add_legend,
    drawing_style,
    shorten,
    themed_svg,
)

REACH = 4.0
"""The axis shows so many margins to both sides."""
MAX_ROUTE_GATES = 60
"""The table has all routes."""


def plot_routes(routes: list[RouteGate], description: str) -> str:
    """Plot the effects of the largest routes in units of their margins: left of 1 is tolerated."""
    shown = routes[:MAX_ROUTE_GATES]
    with drawing_style():
        figure = Figure(figsize=(WIDTH, 1.2 + 0.42 * len(shown)), layout="constrained")
        axis = figure.subplots()
        axis.axvspan(-REACH, 1, color=STAND_INS["tolerated"], alpha=0.10, linewidth=0)
        axis.axvspan(1, REACH, color=STAND_INS["excluded"], alpha=0.10, linewidth=0)
        axis.axvline(0, color=STAND_INS["soft"], linewidth=1, label="no difference")
        axis.axvline(1, color=STAND_INS["margin"], linewidth=1.4, linestyle="--", label="margin")
        for row, each in enumerate(shown):
            _draw_row(axis, row, each.gate)
        axis.set_yticks(range(len(shown)), [f"{shorten(each.route)}\n{each.gate.name}" for each in shown])
        axis.tick_params(axis="y", labelsize=8)
        axis.set(xlim=(-REACH, REACH), xlabel="margins", ylim=(len(shown) - 0.5, -0.5))
        add_legend(axis)
        return themed_svg(figure, description)


def _draw_row(axis: Axes, row: int, gate: Gate) -> None:
    effect = gate.effect if np.isfinite(gate.effect) else gate.none
    lower, middle, upper = (position_in_margins(gate, each) for each in (gate.lower, effect, gate.upper))
    color = STAND_INS["candidate"]
    if is_interval_known(gate):
        ends = np.clip([lower, upper], -REACH, REACH)
        axis.plot(ends, [row, row], color=color, linewidth=5, alpha=0.45, solid_capstyle="butt")
    mark = "<" if middle < -REACH else ">" if middle > REACH else "o"
    axis.plot([np.clip(middle, -REACH, REACH)], [row], color=color, marker=mark, linestyle="", clip_on=False)
