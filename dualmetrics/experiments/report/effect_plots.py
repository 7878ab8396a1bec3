"""A gate's effect with its interval: as it is now, and as it was at each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.axes import (
    column,
    duration_axis,
    fitting_range,
    known_limits,
    mark_margin,
    scale_of,
    unit_of,
)
from dualmetrics.experiments.report.svg import STAND_INS, WIDTH, add_legend, drawing_style, themed_svg
from dualmetrics.experiments.statistics.arrays import Array

MIN_STAGES = 3
"""Fewer do not show how an effect developed."""
FAR_AWAY = "reaches beyond this axis"


def plot_effect(gate: Gate, interval: str, description: str) -> str:
    """Plot the effect and its interval as a bar. ``interval`` names the latter in the legend."""
    with drawing_style():
        figure = Figure(figsize=(WIDTH, 1.75), layout="constrained")
        axis = figure.subplots()
        axis.set_xlim(*fitting_range([gate], scale_of(gate)))
        axis.set(ylim=(-1, 1), yticks=[], xlabel=unit_of(gate))
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.spines["left"].set_visible(False)
        mark_margin(axis, gate, horizontal=False)
        _draw_bar(axis, gate, interval)
        add_legend(axis)
        return themed_svg(figure, description)


def _draw_bar(axis: Axes, gate: Gate, interval: str) -> None:
    scale, color = scale_of(gate), STAND_INS["candidate"]
    low, high = axis.get_xlim()
    lower, upper = (scale * float(limit[0]) for limit in known_limits([gate]))
    ends = np.clip([lower, upper], low, high)
    axis.plot(ends, [0, 0], color=color, linewidth=7, alpha=0.45, solid_capstyle="butt", label=interval)
    axis.plot(ends, [0, 0], color=color, marker="|", markersize=18, markeredgewidth=1.5, linestyle="")
    axis.plot(
        [scale * gate.effect], [0], color=color, marker="o", markersize=8, linestyle="", label="measured"
    )
    beyond = [(low, "<")] if lower < low else []
    beyond += [(high, ">")] if upper > high else []
    _mark_far(axis, [(at, 0.0) for at, _ in beyond], [mark for _, mark in beyond])


def _mark_far(axis: Axes, places: Sequence[tuple[float, float]], marks: Sequence[str]) -> None:
    for number, ((x, y), mark) in enumerate(zip(places, marks, strict=True)):
        axis.plot(
            [x],
            [y],
            color=STAND_INS["candidate"],
            marker=mark,
            markersize=8,
            linestyle="",
            clip_on=False,
            label="" if number else FAR_AWAY,
        )


def plot_over_time(times: Sequence[float], gates: Sequence[Gate], seconds: float, description: str) -> str:
    """Plot a gate's effect and interval as they were at so many seconds since the start."""
    with drawing_style():
        figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
        axis = figure.subplots()
        axis.set_xlim(0, seconds)
        axis.set_ylim(*fitting_range(gates, scale_of(gates[0])))
        axis.set(xlabel="since the start", ylabel=unit_of(gates[0]))
        duration_axis(axis.xaxis, seconds)
        mark_margin(axis, gates[0], horizontal=True)
        _draw_band(axis, np.array(times), gates)
        return themed_svg(figure, description)


def _draw_band(axis: Axes, times: Array, gates: Sequence[Gate]) -> None:
    scale, color = scale_of(gates[0]), STAND_INS["candidate"]
    low, high = axis.get_ylim()
    effect, lower, upper = (scale * each for each in (column(gates, "effect"), *known_limits(gates)))
    axis.fill_between(
        times, np.maximum(lower, low), np.minimum(upper, high), color=color, alpha=0.3, linewidth=0
    )
    axis.plot(times, np.where((effect > low) & (effect < high), effect, np.nan), color=color, linewidth=2)
    for outside, edge, mark in ((effect < low, low, "v"), (effect > high, high, "^")):
        _mark_far(axis, [(at, edge) for at in times[outside]], [mark] * int(outside.sum()))
