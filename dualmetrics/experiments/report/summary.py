"""What was compared, when, and with which result: the sentences that all reports share."""

from __future__ import annotations

from math import isfinite

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.report.formatting import format_time
from dualmetrics.experiments.statistics.critical import FIRST_DECISION
from dualmetrics.experiments.verdict import Verdict


def title(comparison: Comparison) -> str:
    """Return what was compared."""
    question = comparison.question
    prefix = f"{comparison.experiment}: " if comparison.experiment else ""
    return f"{prefix}{question.candidate} against {question.baseline}"


def describe_window(comparison: Comparison) -> str:
    """Return the start, the end and the length of the window."""
    window = comparison.window
    text = f"{format_time(window.start)} to {format_time(window.end)}, {format_duration(window.seconds)}"
    return f"{text} of {format_duration(window.until - window.start)} declared" if window.early else text


def headline(comparison: Comparison) -> str:
    """Return the verdict as a sentence."""
    goals = {gate.name for gate in comparison.gates if gate.goal}
    if comparison.verdict is Verdict.PASS:
        better = "is better than the baseline as required, and otherwise " if goals else "is "
        return f"The candidate {better}not worse than the baseline by more than the margins allow."
    if comparison.verdict is Verdict.FAIL:
        if {*comparison.failed} <= goals:
            return "The candidate is not as much better than the baseline as is required."
        return "The candidate is worse than the baseline."
    if comparison.verdict is Verdict.INVALID:
        return "The variants cannot be compared, because the experiment was not a fair one."
    return "It is not known yet whether the candidate is as good as the baseline."


def verdict_reason(comparison: Comparison) -> str:
    """Return the reason for the verdict in one sentence."""
    verdict = comparison.verdict
    if verdict is Verdict.PASS:
        goals = any(gate.goal for gate in comparison.gates)
        return f"Every gate is within its margin{', and every goal is reached' if goals else ''}."
    if verdict is Verdict.FAIL:
        return _failure(comparison)
    if verdict is Verdict.INVALID:
        broken = [f"{check.name}: {check.seen}" for check in comparison.checks if check.state == "broken"]
        return f"The experiment is not valid: {'; '.join(broken)}."
    return _inconclusive_reason(comparison)


def _failure(comparison: Comparison) -> str:
    goals = {gate.name for gate in comparison.gates if gate.goal}
    worse = [name for name in comparison.failed if name not in goals]
    missed = [name for name in comparison.failed if name in goals]
    sentences = [f"Surely worse: {', '.join(worse)}."] if worse else []
    sentences += [f"Surely not as much better as required: {', '.join(missed)}."] if missed else []
    return " ".join(sentences)


def _inconclusive_reason(comparison: Comparison) -> str:
    if comparison.window.early and not comparison.question.sequential:
        left = format_duration(comparison.window.until - comparison.window.end)
        return f"Early look: the declared end is {left} away."
    waiting = [f"{check.name}: {check.seen}" for check in comparison.checks if check.state == "waiting"]
    if waiting:
        return f"Waiting for more data: {'; '.join(waiting)}."
    if comparison.too_early:
        passed = f"{comparison.window.fraction:.0%} has passed"
        return f"Only breaks are judged before {FIRST_DECISION:.0%} of the declared time; {passed}."
    undecided = ", ".join(gate.name for gate in comparison.gates if not gate.within)
    unseen = [gate for gate in comparison.gates if not gate.within and not isfinite(gate.need.times)]
    if unseen:
        parts = [f"{gate.name} ({gate.remedy})" if gate.remedy else gate.name for gate in unseen]
        return f"Not decided: {undecided}. More time would not decide {', '.join(parts)}."
    return f"Not decided: {undecided}{_needed(comparison)}."


def _needed(comparison: Comparison) -> str:
    """Return how much more time is needed, compared with the declared end if that is still to come."""
    needed = comparison.still_needed
    left = max(0.0, comparison.window.until - comparison.window.end)
    if needed <= 0:
        return ""
    if not comparison.window.early:
        return f"; about {format_duration(needed)} more would be needed if there is no difference"
    end = f"; the declared end is in {format_duration(left)}"
    if needed <= left:
        return end
    after = format_duration(needed - left)
    return f"{end}, and about {after} after that would be needed if there is no difference"
