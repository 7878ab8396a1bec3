"""Numbers, times and gates as text. All reports use the same form."""

from __future__ import annotations

import time
from math import expm1, inf, isfinite, log

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.gates import Gate


def gate_headers(comparison: Comparison) -> tuple[str, ...]:
    """Return the headers of the table of gates. The last column, the state, has none."""
    return ("gate", "baseline", "candidate", "effect", f"{confidence(comparison)} interval", "margin", "")


def confidence(comparison: Comparison) -> str:
    """Return how often such intervals contain the true effect, in percent."""
    return f"{100 * (1 - 2 * comparison.question.margins.alpha):g} %"


def gate_cells(comparison: Comparison, gate: Gate) -> tuple[str, ...]:
    """Return a gate as a row of the table."""
    return (
        gate.name,
        format_value(comparison, gate, gate.baseline),
        format_value(comparison, gate, gate.candidate),
        format_effect(gate, gate.effect),
        format_interval(gate),
        format_effect(gate, gate.limit),
        gate_state(comparison, gate),
    )


def is_interval_known(gate: Gate) -> bool:
    """Return whether the interval says anything: without enough blocks it has all possible effects."""
    least, most = (-1.0, 1.0) if gate.unit == "difference" else (0.0, inf)
    return least < gate.lower or gate.upper < most


def format_interval(gate: Gate) -> str:
    """Return the interval, or that it is unknown."""
    if not is_interval_known(gate):
        return "unknown"
    return f"{format_effect(gate, gate.lower)} to {format_effect(gate, gate.upper)}"


def gate_state(comparison: Comparison, gate: Gate) -> str:
    """Return "within" (the margin), "worse", or "open" (not decided); of a goal "reached" or "missed"."""
    if gate.within:
        return "reached" if gate.goal else "within"
    if gate.name in comparison.failed:
        return "missed" if gate.goal else "worse"
    return "open"


def format_value(comparison: Comparison, gate: Gate, number: float) -> str:
    """Return a share in percent, a duration, or another number."""
    if gate.quantity == "share":
        return f"{number:.3%}"
    if gate.quantity == "number":
        return f"{number:.5g}" if isfinite(number) else "unknown"
    if not isfinite(number):
        return "above all buckets"
    return format_duration(number / comparison.names.per_second)


def format_effect(gate: Gate, number: float) -> str:
    """Return a difference in percentage points, or a factor."""
    if not isfinite(number):
        return "unknown"
    return f"{number * 100:+.3f} points" if gate.unit == "difference" else f"{number:.3f} x"


def format_visible_effect(gate: Gate) -> str:
    """Return the smallest effect that would be detected now."""
    size = gate.need.visible
    if not isfinite(size):
        return "unknown"
    return f"{size * 100:.3g} points" if gate.unit == "difference" else f"{expm1(min(size, 50)):.1%}"


def gate_note(gate: Gate) -> str:
    """Return what the gate is based on, and the smallest effect that would be detected now."""
    parts = [f"{gate.name}: {gate.note}", *([gate.remedy] if gate.remedy else [])]
    visible = f"smallest effect that would be detected now: {format_visible_effect(gate)}"
    return "; ".join([*parts, visible])


def format_time(seconds: float) -> str:
    """Return a time, given in seconds since the epoch, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def position_in_margins(gate: Gate, number: float) -> float:
    """Return an effect on a scale where 0 is no effect and 1 is the margin, in the direction of worse.

    Without a margin, as a goal may be, 1 is half a point or 5 %.
    """
    sign = -1 if gate.up_good else 1
    if gate.unit == "difference":
        return sign * number / (gate.margin or 0.005)
    return sign * log(max(number, 1e-9)) / log(1 + (gate.margin or 0.05))
