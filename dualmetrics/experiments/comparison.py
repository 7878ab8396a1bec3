"""From a source's samples to a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scipy.stats import false_discovery_control

from dualmetrics.experiments import checks
from dualmetrics.experiments.checks import Check
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.errors import InvalidExperimentError, TooEarlyError
from dualmetrics.experiments.gate_metrics import needed_metrics, resolve_gates
from dualmetrics.experiments.gates import Gate, longest_need
from dualmetrics.experiments.label_checks import check_labels
from dualmetrics.experiments.metric_names import NO_HTTP, Names, recognize_names
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.sources.source import SEARCHED_SECONDS, Source, VariantSamples
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.critical import CriticalValues
from dualmetrics.experiments.variant_counts import VariantCounts, count_variants, critical_values
from dualmetrics.experiments.verdict import Verdict, decide, failing_gates
from dualmetrics.experiments.window import Window

__all__ = ["Comparison", "Question", "RouteGate", "compare"]

MIN_DURATIONS = 0.99
"""The share of the requests whose durations must be known, or there is a note."""
STEPS_PER_BLOCK = 2
"""In a long window the counters are read so many times in each block, always at its end."""


class RouteGate(NamedTuple):
    """A gate of one route. ``q`` is its p-value adjusted over all routes (Benjamini and Hochberg)."""

    route: str
    gate: Gate
    q: float


@dataclass(frozen=True)
class Comparison:
    """The verdict, and everything that led to it."""

    experiment: str
    question: Question
    window: Window
    names: Names
    checks: list[Check]
    gates: list[Gate]
    failed: list[str]
    """The names of the gates that make the comparison fail."""
    routes: list[RouteGate]
    verdict: Verdict
    evidence: VariantCounts
    notes: list[str] = field(default_factory=list)

    @property
    def still_needed(self) -> float:
        """The seconds by which the window must grow to show no difference, if there is none.

        0 if the window is long enough, infinity if no length is.
        """
        return max(0.0, self.window.seconds * (longest_need(self.gates) - 1))

    @property
    def too_early(self) -> bool:
        """Whether this is an early look of several, which may find a break but decides nothing else."""
        return not critical_values(self.question, self.window).decides

    def over_time(self) -> list[tuple[float, list[Gate]]]:
        """Return the end of each block from the tenth on, with the gates as they were then."""
        critical = critical_values(self.question, self.window)
        blocks = len(self.evidence.edges) - 1
        stages = (self.evidence.first_blocks(count) for count in range(min(MIN_BLOCKS, blocks), blocks + 1))
        return [
            (float(counts.edges[-1]), counts.gates(self.question, critical))
            for counts in stages
            if counts.comparable
        ]


def compare(
    source: Source, window: Window, question: Question | None = None, experiment: str = ""
) -> Comparison:
    """Judge the candidate against the baseline by what ``source`` recorded in the window.

    ``experiment`` is the title of the report. Raises an `ExperimentError` if there is nothing to judge.
    """
    return compare_with_checks(source, window, question or Question(), experiment, [])


def compare_with_checks(
    source: Source, window: Window, question: Question, experiment: str, more_checks: Sequence[Check]
) -> Comparison:
    """Do the same as `compare`. ``more_checks`` are those that were made already."""
    recorded = source.names(window.start, window.end)
    names = resolve_names(recorded, question)
    question = replace(question, gates=resolve_gates(question.gates, recorded))
    pair = _read(source, names, window, question)
    if question.gates and not any(samples.http for samples in pair):
        names = NO_HTTP
    for variant, samples in zip((question.baseline, question.candidate), pair, strict=True):
        _require_samples(variant, samples, names, window)
    check_labels(pair, names, question)
    counts = count_variants(*pair, names, window, question)
    run_checks = [*_run_checks(pair, counts, window, question), *more_checks]
    return _judge(experiment, question, window, run_checks, counts)


def first_sample_time(source: Source, now: float, question: Question) -> float:
    """Return when the experiment began, within the last seven days."""
    return source.began(resolve_names(source.names(now - SEARCHED_SECONDS, now), question))


def resolve_names(recorded: Collection[str], question: Question) -> Names:
    """Return the names that the question gives, or those that are recognized among the recorded metrics.

    Raises `InvalidExperimentError` if there are none.
    """
    given = dict(question.names)
    if given.get("duration") or given.get("requests"):
        return Names(given.get("duration"), given.get("requests")).renamed(**given)
    try:
        return recognize_names(recorded).renamed(**given)
    except InvalidExperimentError:
        if question.gates:
            return NO_HTTP
        raise


def _read(
    source: Source, names: Names, window: Window, question: Question
) -> tuple[VariantSamples, VariantSamples]:
    others = needed_metrics(question.gates)
    step = window.block_seconds(sequential=question.sequential) / STEPS_PER_BLOCK
    baseline, candidate = (
        source.read(variant, names, window.start, window.end, step, others)
        for variant in (question.baseline, question.candidate)
    )
    return baseline, candidate


def _require_samples(variant: str, samples: VariantSamples, names: Names, window: Window) -> None:
    if samples.http or not names.recorded:
        return
    if window.early:
        raise TooEarlyError(f"There are no requests of the variant {variant!r} yet; look again later.")
    raise InvalidExperimentError(f"There are no requests of the variant {variant!r} in the window.")


def _run_checks(
    variants: tuple[VariantSamples, VariantSamples], counts: VariantCounts, window: Window, question: Question
) -> list[Check]:
    results = [checks.check_scrapes(variants, window), checks.check_overlap(variants, window)]
    if question.ramp and counts.strata is not None:
        results.append(checks.check_ramp(counts.at_common_times, question.ramp, counts.strata))
    elif counts.names.recorded:
        results.append(checks.check_split(counts.at_common_times, question.split))
    if len(counts.bounds):
        results.append(checks.check_buckets(variants, counts.bounds))
    return results


def _judge(
    experiment: str, question: Question, window: Window, run_checks: list[Check], counts: VariantCounts
) -> Comparison:
    critical = critical_values(question, window)
    gates = counts.gates(question, critical)
    routes = _judge_routes(counts, question, critical)
    deciding_routes = routes if question.gate_routes else []
    return Comparison(
        experiment=experiment,
        question=question,
        window=window,
        names=counts.names,
        checks=run_checks,
        gates=gates,
        failed=_failed_names(gates, deciding_routes, question.margins.alpha),
        routes=routes,
        verdict=_verdict(gates, deciding_routes, window, run_checks, question),
        evidence=counts,
        notes=_notes(question, window, counts),
    )


def _failed_names(gates: list[Gate], routes: list[RouteGate], alpha: float) -> list[str]:
    names = [gate.name for gate in gates] + [f"{each.gate.name} of {each.route}" for each in routes]
    failing = failing_gates([*gates, *(each.gate for each in routes)], alpha)
    return [name for name, fails in zip(names, failing, strict=True) if fails]


def _verdict(
    gates: list[Gate], routes: list[RouteGate], window: Window, run_checks: list[Check], question: Question
) -> Verdict:
    states = {check.state for check in run_checks}
    if "broken" in states:
        return Verdict.INVALID
    if "waiting" in states or (window.early and not question.sequential):
        return Verdict.INCONCLUSIVE
    return decide(gates, [each.gate for each in routes], question.margins.alpha)


def _judge_routes(counts: VariantCounts, question: Question, critical: CriticalValues) -> list[RouteGate]:
    if not question.by_route and not question.gate_routes:
        return []
    gates = [
        (route, gate)
        for route, pair in counts.large_routes().items()
        for gate in counts.gates(question, critical, pair)
    ]
    adjusted = false_discovery_control([gate.p_worse for _, gate in gates])
    return [RouteGate(route, gate, float(q)) for (route, gate), q in zip(gates, adjusted, strict=True)]


def _notes(question: Question, window: Window, counts: VariantCounts) -> list[str]:
    blocks = len(counts.edges) - 1
    length = counts.edges[1] - counts.edges[0]
    notes = [f"{blocks} block{'s' if blocks > 1 else ''} of {format_duration(float(length))}"]
    if window.early and not question.sequential:
        notes.append("early look: there is no verdict before the declared end, unless --sequential is given")
    notes += _lost_durations(question, counts)
    if counts.strata is not None:
        strata = "step of the ramp" if question.ramp else "block, because the split moves,"
        left_out = int((counts.strata < 0).sum())
        notes.append(
            f"each {strata} is a stratum" + (f"; {left_out} blocks are left out" if left_out else "")
        )
    if counts.dropped:
        notes.append(
            f"ignored the first value of {counts.dropped} series: it is not known when they started to count"
        )
    return notes


def _lost_durations(question: Question, counts: VariantCounts) -> Iterator[str]:
    """Say so if the histograms do not have the durations of about all requests."""
    for variant, each in zip((question.baseline, question.candidate), counts.total, strict=True):
        requests, durations = float(each.requests.sum()), float(each.durations.sum())
        if durations and durations < MIN_DURATIONS * requests:
            yield f"the {variant} has durations of only {durations:.0f} of {requests:.0f} requests"
