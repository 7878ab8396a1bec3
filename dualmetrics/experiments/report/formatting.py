"""Numbers and times as people read them; the same in every form of the report."""

from __future__ import annotations

import time
from math import expm1, isfinite, log

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.verdict import Verdict

HEADERS = ("gate", "baseline", "candidate", "effect", "90 % interval", "margin", "")
TIME_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def gate_cells(comparison: Comparison, gate: Gate) -> tuple[str, ...]:
    """A gate as a line of the table."""
    lower, upper = format_effect(gate, gate.lower), format_effect(gate, gate.upper)
    return (
        gate.name,
        format_value(comparison, gate, gate.baseline),
        format_value(comparison, gate, gate.candidate),
        format_effect(gate, gate.effect),
        f"{lower} to {upper}",
        format_effect(gate, gate.limit),
        gate_state(comparison, gate),
    )


def gate_state(comparison: Comparison, gate: Gate) -> str:
    """What the gate says."""
    if gate.within:
        return "within"
    return "worse" if gate.name in comparison.failed else "open"


def format_value(comparison: Comparison, gate: Gate, number: float) -> str:
    """A ratio in percent, or a quantile in milliseconds."""
    if gate.unit == "difference":
        return f"{number:.3%}"
    return (
        f"{number / comparison.names.per_second * 1000:.4g} ms" if isfinite(number) else "above all buckets"
    )


def format_effect(gate: Gate, number: float) -> str:
    """A difference in percentage points, or a factor."""
    if not isfinite(number):
        return "unknown"
    return f"{number * 100:+.3f} points" if gate.unit == "difference" else f"{number:.3f} x"


def format_duration(seconds: float) -> str:
    """In the largest unit that gives at least 2, or seconds."""
    if not isfinite(seconds):
        return "for ever"
    for size, unit in TIME_UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def format_time(seconds: float) -> str:
    """A time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def title(comparison: Comparison) -> str:
    """What was compared."""
    of = comparison.question
    named = f"{comparison.experiment}: " if comparison.experiment else ""
    return f"{named}{of.candidate} against {of.baseline}"


def describe_window(comparison: Comparison) -> str:
    """From when to when."""
    window = comparison.window
    whole = f"{format_time(window.start)} to {format_time(window.end)}, {format_duration(window.seconds)}"
    return f"{whole} of {format_duration(window.until - window.start)} declared" if window.early else whole


def verdict_reason(comparison: Comparison) -> str:
    """The verdict in a sentence."""
    verdict = comparison.verdict
    if verdict is Verdict.PASS:
        return "Every gate is within its margin."
    if verdict is Verdict.FAIL:
        return f"Surely worse: {', '.join(comparison.failed)}."
    if verdict is Verdict.INVALID:
        broken = [check for check in comparison.checks if not check.holds]
        return (
            "The experiment is not valid: " + "; ".join(f"{each.name}: {each.seen}" for each in broken) + "."
        )
    return _open(comparison)


def _open(comparison: Comparison) -> str:
    if comparison.window.early and not comparison.question.sequential:
        left = format_duration(comparison.window.until - comparison.window.end)
        return f"Early look: the declared end is {left} away."
    undecided = ", ".join(gate.name for gate in comparison.gates if not gate.within)
    more = comparison.still_needed
    if not isfinite(more):
        return f"Not decided: {undecided}."
    wait = f"about {format_duration(more)} more would be needed, if there is no difference"
    return f"Not decided: {undecided}; {wait}." if more > 0 else f"Not decided: {undecided}."


def visible_effect(gate: Gate) -> str:
    """The smallest effect that would be seen now."""
    size = gate.need.visible
    if not isfinite(size):
        return "nothing"
    return f"{size * 100:.3g} points" if gate.unit == "difference" else f"{expm1(min(size, 50)):.1%}"


def position_in_margins(gate: Gate, number: float) -> float:
    """Where a number lies if 0 is no effect and 1 the margin."""
    if gate.unit == "difference":
        return number / gate.margin
    return log(max(number, 1e-9)) / log(1 + gate.margin)
