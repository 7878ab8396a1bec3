"""The whole way from samples to a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dualmetrics.experiments import checks
from dualmetrics.experiments.checks import Check
from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.gates import Gate, longest_need
from dualmetrics.experiments.metric_names import Names, recognize_names
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.sources.source import Source, VariantSamples
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.critical import CriticalValues
from dualmetrics.experiments.statistics.multiplicity import benjamini_hochberg
from dualmetrics.experiments.variant_counts import VariantCounts, count_variants, critical_values
from dualmetrics.experiments.verdict import Verdict, decide, failing_gates
from dualmetrics.experiments.window import Window

__all__ = ["Comparison", "Question", "RouteGate", "compare"]


class RouteGate(NamedTuple):
    """A gate of one route; ``q`` is its p-value after Benjamini and Hochberg over all of them."""

    route: str
    gate: Gate
    q: float


@dataclass(frozen=True)
class Comparison:
    """The verdict, and all that led to it."""

    experiment: str
    question: Question
    window: Window
    names: Names
    checks: list[Check]
    gates: list[Gate]
    failed: list[str]
    routes: list[RouteGate]
    verdict: Verdict
    evidence: VariantCounts
    notes: list[str] = field(default_factory=list)

    @property
    def still_needed(self) -> float:
        """Seconds that the window should go on for, to show that there is no difference if there is none."""
        return max(0.0, self.window.seconds * (longest_need(self.gates) - 1))

    def over_time(self) -> list[tuple[float, list[Gate]]]:
        """The gates as they stood at the end of each block, from the tenth on."""
        asked, blocks = critical_values(self.question, self.window), len(self.evidence.edges) - 1
        story = (self.evidence.first_blocks(at) for at in range(min(MIN_BLOCKS, blocks), blocks + 1))
        return [
            (float(known.edges[-1]), known.gates(self.question, asked)) for known in story if known.comparable
        ]


def compare(
    source: Source, window: Window, question: Question | None = None, experiment: str = ""
) -> Comparison:
    """Judge the candidate against the baseline by what ``source`` has of the window.

    Raises an `ExperimentError` where there is nothing to judge.
    """
    question = question or Question()
    names = resolve_names(source, window, question)
    baseline, candidate = (
        _present(source.read(variant, names, window.start, window.end), variant)
        for variant in (question.baseline, question.candidate)
    )
    evidence = count_variants(baseline, candidate, names, window, question)
    checks = _checks(baseline, candidate, evidence, window, question)
    return _judged(experiment, question, window, checks, evidence)


def resolve_names(source: Source, window: Window, question: Question) -> Names:
    """The metrics' names: what the question says, else recognised."""
    given = dict(question.names)
    found = source.names(window.start, window.end)
    if given.get("duration") or given.get("requests"):
        return Names(given.get("duration"), given.get("requests")).renamed(**given)
    return recognize_names(found).renamed(**given)


def _present(recording: VariantSamples, variant: str) -> VariantSamples:
    if not recording.requests and not recording.durations:
        raise InvalidExperimentError(f"There are no requests of the variant {variant!r} in the window.")
    return recording


def _checks(
    baseline: VariantSamples,
    candidate: VariantSamples,
    evidence: VariantCounts,
    window: Window,
    question: Question,
) -> list[Check]:
    both = (baseline, candidate)
    requests = [each.requests for each in evidence.total]
    found = [
        checks.check_scrapes(both, window),
        checks.check_overlap(both, window),
        checks.check_split(requests[1], requests[0], question.split),
    ]
    return [*found, checks.check_bounds(both, evidence.bounds)] if len(evidence.bounds) else found


def _judged(
    experiment: str, question: Question, window: Window, checks: list[Check], evidence: VariantCounts
) -> Comparison:
    asked = critical_values(question, window)
    gates, routes = evidence.gates(question, asked), _routes(evidence, question, asked)
    gated = routes if question.gate_routes else []
    return Comparison(
        experiment,
        question,
        window,
        evidence.names,
        checks,
        gates,
        _failed(gates, gated, question.margins.alpha),
        routes,
        _verdict(gates, gated, window, checks, question),
        evidence,
        _notes(question, window, evidence),
    )


def _failed(gates: list[Gate], routes: list[RouteGate], alpha: float) -> list[str]:
    titles = [gate.name for gate in gates] + [f"{each.gate.name} of {each.route}" for each in routes]
    found = failing_gates([*gates, *(each.gate for each in routes)], alpha)
    return [title for title, bad in zip(titles, found, strict=True) if bad]


def _verdict(
    gates: list[Gate], routes: list[RouteGate], window: Window, checks: list[Check], question: Question
) -> Verdict:
    if not all(check.holds for check in checks):
        return Verdict.INVALID
    if window.early and not question.sequential:
        return Verdict.INCONCLUSIVE
    return decide(gates, question.margins.alpha, [each.gate for each in routes])


def _routes(evidence: VariantCounts, question: Question, asked: CriticalValues) -> list[RouteGate]:
    if not question.by_route and not question.gate_routes:
        return []
    found = [
        (route, gate)
        for route, pair in evidence.large_routes().items()
        for gate in evidence.gates(question, asked, pair)
    ]
    adjusted = benjamini_hochberg([gate.p_worse for _, gate in found])
    return [RouteGate(route, gate, q) for (route, gate), q in zip(found, adjusted, strict=True)]


def _notes(question: Question, window: Window, evidence: VariantCounts) -> list[str]:
    blocks = len(evidence.edges) - 1
    notes = [f"{blocks} blocks of {(evidence.edges[1] - evidence.edges[0]) if blocks else 0:.0f} s"]
    if window.early and not question.sequential:
        notes.append("early look: no verdict before the declared end, or with --sequential")
    if evidence.dropped:
        what = "the first value of series that appeared on targets not watched before was left out"
        notes.append(f"{what}: {evidence.dropped}")
    return notes
