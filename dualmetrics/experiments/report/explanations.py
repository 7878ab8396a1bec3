"""The gates in sentences, for readers who decide a rollout and have not studied statistics."""

from __future__ import annotations

from collections.abc import Iterator

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import (
    confidence,
    format_effect,
    format_value,
    format_visible_effect,
    gate_state,
    is_interval_known,
)

STATE_WORDS = {
    "within": "within the margin",
    "worse": "worse",
    "reached": "goal reached",
    "missed": "goal missed",
    "open": "not decided",
}
"""What the states of a gate mean."""


def explain_gate(comparison: Comparison, gate: Gate) -> Iterator[str]:
    """Yield what was measured, what chance may have added, and what follows, one sentence each."""
    yield _measured(comparison, gate)
    if is_interval_known(gate):
        yield _range(comparison, gate)
        yield _conclusion(comparison, gate)
        if gate_state(comparison, gate) not in ("worse", "missed"):
            yield _sensitivity(gate)
    else:
        yield "How much of that is chance cannot be said yet, so there is no range for the true effect."


def _measured(comparison: Comparison, gate: Gate) -> str:
    baseline, candidate = (format_value(comparison, gate, value) for value in (gate.baseline, gate.candidate))
    effect = format_effect(gate, gate.effect)
    return f"{candidate} with the candidate, {baseline} with the baseline: the measured effect is {effect}."


def _range(comparison: Comparison, gate: Gate) -> str:
    lower, upper = format_effect(gate, gate.lower), format_effect(gate, gate.upper)
    return (
        f"If chance is taken into account, the true effect is between {lower} and {upper}, "
        f"with a confidence of {confidence(comparison)}."
    )


def _conclusion(comparison: Comparison, gate: Gate) -> str:
    name = "goal" if gate.goal else "margin"
    limit = f"the {name} of {format_effect(gate, gate.limit)}"
    state = gate_state(comparison, gate)
    if state in ("within", "reached"):
        return f"All of this range is better than {limit}, so the gate holds."
    if state == "worse":
        return f"That is worse than chance explains, and may be beyond {limit}: the gate fails."
    if state == "missed":
        return f"That is surely not better than {limit}: the gate fails."
    if gate.lower <= gate.limit <= gate.upper:
        return f"Parts of this range are better and parts are worse than {limit}, so nothing is decided."
    return f"This range alone does not decide whether it is better than {limit}: see the remarks."


def _sensitivity(gate: Gate) -> str:
    smallest = format_visible_effect(gate)
    if smallest == "unknown":
        return "How small an effect would have been detected is not known."
    return (
        f"A true effect of {smallest} or more would be noticed in four of five such experiments; "
        "a smaller one may stay unnoticed."
    )


def remarks(gate: Gate) -> list[str]:
    """Return what else the result rests on, one sentence each."""
    parts = [*gate.note.split("; "), gate.remedy]
    return [part[:1].upper() + part[1:] + "." for part in parts if part]
