"""Axes that fit: what decides is always visible, and what is far away is marked at the edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter

from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import is_interval_known
from dualmetrics.experiments.report.svg import STAND_INS
from dualmetrics.experiments.statistics.arrays import Array

FAR = 2.5
"""An interval is shown up to this many times the distance of what must be visible."""
ROOM = 0.08
LEAST = 0.01
"""The least width of an axis."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""The seconds between two marks of a time axis. Longer ones are whole weeks."""
MAX_MARKS = 6


def fitting_range(gates: Sequence[Gate], scale: float) -> tuple[float, float]:
    """Return the ends of an axis for the effects of a gate, at one time or at several.

    The margin, no effect, and the measured effects are inside. Intervals are, too, unless they are so wide
    that nothing else could be seen.
    """
    effects = column(gates, "effect")
    finite = effects[np.isfinite(effects)]
    middle = [*np.percentile(finite, [10, 90]).tolist(), float(finite[-1])] if len(finite) else []
    core = [gates[0].none, gates[0].limit, *middle]
    low, high = min(core), max(core)
    if low == high:  # a goal without a margin, and no effect
        low, high = low - LEAST / 2, high + LEAST / 2
    far = FAR * (high - low)
    ends = np.concatenate([*known_limits(gates), core])
    ends = ends[~np.isnan(ends)]
    low, high = max(low - far, ends.min()), min(high + far, ends.max())
    room = ROOM * (high - low)
    return scale * (low - room), scale * (high + room)


def column(gates: Sequence[Gate], name: str) -> Array:
    """Return one number of each gate."""
    numbers: Array = np.array([getattr(gate, name) for gate in gates], dtype=np.float64)
    return numbers


def known_limits(gates: Sequence[Gate]) -> tuple[Array, Array]:
    """Return the lower and the upper limits. Those that are not known are not a number."""
    known = [is_interval_known(gate) for gate in gates]
    return np.where(known, column(gates, "lower"), np.nan), np.where(known, column(gates, "upper"), np.nan)


def scale_of(gate: Gate) -> float:
    """Return 100 for differences of shares, which are shown in percentage points, else 1."""
    return 100.0 if gate.unit == "difference" else 1.0


def unit_of(gate: Gate) -> str:
    """Return the unit of the axis of an effect."""
    return "percentage points" if gate.unit == "difference" else "times the baseline"


def duration_axis(axis: Axis, seconds: float) -> None:
    """Mark an axis of seconds with durations such as ``1h 30m``."""
    step = next((step for step in STEPS if seconds / step <= MAX_MARKS), None)
    if step is None:
        step = 7 * 86400 * int(np.ceil(seconds / (7 * 86400 * MAX_MARKS)))
    axis.set_major_locator(FixedLocator(np.arange(0.0, seconds + step / 2, step).tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_duration(value)))


def mark_margin(axis: Axes, gate: Gate, *, horizontal: bool) -> None:
    """Draw the margin and no effect, and color what is tolerated and what is not."""
    draw = (axis.axhline, axis.axhspan) if horizontal else (axis.axvline, axis.axvspan)
    low, high = axis.get_ylim() if horizontal else axis.get_xlim()
    limit, none = scale_of(gate) * gate.limit, scale_of(gate) * gate.none
    line, span = draw
    sides = ("excluded", "tolerated") if gate.up_good else ("tolerated", "excluded")
    span(low, limit, color=STAND_INS[sides[0]], alpha=0.10, linewidth=0)
    span(limit, high, color=STAND_INS[sides[1]], alpha=0.10, linewidth=0)
    line(none, color=STAND_INS["soft"], linewidth=1, label="no difference")
    name = "goal" if gate.goal else "margin"
    line(limit, color=STAND_INS["margin"], linewidth=1.4, linestyle="--", label=name)
