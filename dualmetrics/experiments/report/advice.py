"""What a verdict rests on, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import format_effect, gate_state
from dualmetrics.experiments.verdict import Verdict

REASONABLE_SECONDS = 60 * 86400.0
"""Nobody waits longer for a verdict."""

REMEDIES = {
    "scrapes": "Find out why scrapes fail, mend it, and start a new experiment.",
    "overlap": "Let both variants run, and be scraped, during the whole window. Start a new experiment, or "
    "choose a window (--start, --end) in which both ran.",
    "split": "Find out why the traffic is not split as declared. Until then the variants serve different "
    "requests or users, and a comparison would mislead. If the declared split is wrong, correct --split.",
}
"""What to do about each check that is broken."""


def rests_on(comparison: Comparison) -> Iterator[str]:
    """Yield what the verdict rests on, one sentence each."""
    yield _requests(comparison)
    yield _blocks(comparison)
    yield _checks(comparison)
    yield from (f"{note[:1].upper()}{note[1:]}." for note in comparison.notes[1:])


def _requests(comparison: Comparison) -> str:
    question, window = comparison.question, comparison.window
    counts = [
        f"{each.requests.sum():,.0f} requests of the {variant}"
        for variant, each in zip(
            (question.baseline, question.candidate), comparison.evidence.total, strict=True
        )
    ]
    return f"{' and '.join(counts)}, in {format_duration(window.seconds)}."


def _blocks(comparison: Comparison) -> str:
    edges = comparison.evidence.edges
    blocks, length = len(edges) - 1, format_duration(float(edges[1] - edges[0]))
    if blocks == 1:
        return "The time is too short to be divided into blocks, so it is not known how much is chance."
    return (
        f"The time is divided into {blocks} blocks of {length}. How much the variants differ from block to "
        "block shows how much is chance."
    )


def _checks(comparison: Comparison) -> str:
    open_checks = [f"{check.name} ({check.state})" for check in comparison.checks if check.state != "ok"]
    if open_checks:
        return f"These checks of the data do not hold: {', '.join(open_checks)}."
    return f"All {len(comparison.checks)} checks of the data hold."


def would_change(comparison: Comparison) -> Iterator[str]:
    """Yield what would change the verdict, one sentence each."""
    if comparison.verdict is Verdict.INVALID:
        broken = [check.name for check in comparison.checks if check.state == "broken"]
        yield from (REMEDIES[name] for name in broken if name in REMEDIES)
    elif comparison.verdict is Verdict.INCONCLUSIVE:
        yield from _time(comparison)
    yield from _other_margins(comparison)


def _time(comparison: Comparison) -> Iterator[str]:
    window = comparison.window
    left, needed = window.until - window.end, comparison.still_needed
    if window.early:
        yield f"The declared end is in {format_duration(left)}. Each look until then may show more."
    if not isfinite(needed):
        yield "More time alone does not decide every gate. The remarks on the gates say what would help."
    elif needed > REASONABLE_SECONDS:
        yield (
            f"More than {format_duration(REASONABLE_SECONDS)} would be needed to show that there is no "
            "difference. Send more traffic, or choose larger margins."
        )
    elif needed > left:
        declared = "was declared" if window.early else "this window has"
        yield (
            f"If there is no difference, showing that takes about {format_duration(needed - left)} more than "
            f"{declared}. Run a longer experiment, send more traffic, or choose larger margins."
        )
    elif window.early:
        yield "If there is no difference, that will probably be shown by then."


def _other_margins(comparison: Comparison) -> Iterator[str]:
    """Yield for which margins or goals a gate would come out otherwise."""
    for gate in comparison.gates:
        worst = format_effect(gate, gate.lower if gate.up_good else gate.upper)
        if worst != "unknown" and comparison.verdict is not Verdict.INVALID:
            yield from _other_margin(gate, worst, gate_state(comparison, gate))


def _other_margin(gate: Gate, worst: str, state: str) -> Iterator[str]:
    if state == "within":
        yield f"{gate.name}: a margin stricter than about {worst} would not be met."
    elif state == "reached":
        yield f"{gate.name}: a goal beyond about {worst} would not be reached."
    elif state == "worse":
        yield f"{gate.name}: only a margin beyond about {worst} would tolerate this."
