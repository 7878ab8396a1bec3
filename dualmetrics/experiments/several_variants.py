"""Several candidates against one baseline, and a second baseline that checks the experiment itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dualmetrics.experiments.checks import Check
from dualmetrics.experiments.comparison import Comparison, compare, compare_with_checks
from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gate_specs import FACTOR_MARGIN, SHARE_MARGIN, GateSpec
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.ramps import RampStep
from dualmetrics.experiments.sources.source import Source
from dualmetrics.experiments.verdict import Verdict
from dualmetrics.experiments.window import Window

SAME_ALPHA = 0.01
"""The risk of calling an experiment invalid because two equal variants differ by chance."""
TrafficParts = tuple[float, ...]
"""The parts of the traffic: of the baseline, of the second baseline if there is one, of each candidate."""


@dataclass(frozen=True)
class Variants:
    """The variants besides the baseline, and how the traffic is split.

    ``same`` is a second variant of the baseline's version. ``splits`` has the parts of the traffic and the
    seconds that they last; several are a ramp. Raises `UsageError` if the number of parts is wrong.
    """

    candidates: tuple[str, ...]
    same: str | None = None
    splits: tuple[tuple[TrafficParts, float], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.others)) < len(self.others):
            raise UsageError("A variant is given twice.")
        for split, _ in self.splits:
            if len(split) != 1 + len(self.others):
                raise UsageError(
                    f"The split {':'.join(f'{part:g}' for part in split)} has {len(split)} parts, but there "
                    f"are {1 + len(self.others)} variants: the baseline, {', '.join(self.others)}."
                )

    @property
    def others(self) -> tuple[str, ...]:
        """All variants but the baseline, in the order of the split."""
        return (*([self.same] if self.same else []), *self.candidates)

    def question(self, question: Question, variant: str) -> Question:
        """Return the question about one variant, with its share of the traffic of the pair."""
        position = 1 + self.others.index(variant)
        steps = tuple(
            RampStep(parts[position] / (parts[0] + parts[position]), seconds)
            for parts, seconds in self.splits
        )
        if len(steps) == 1:
            return replace(question, candidate=variant, split=steps[0].share)
        return replace(question, candidate=variant, ramp=steps)


def compare_variants(
    source: Source, window: Window, question: Question, variants: Variants, experiment: str = ""
) -> list[Comparison]:
    """Compare each candidate with the baseline.

    With several candidates the risk of an error is shared among them (Bonferroni): each is judged at alpha
    divided by their number. Raises an `ExperimentError` if there is nothing to judge.
    """
    checks: list[Check] = []
    if variants.same:
        checks += _check_same(source, window, variants.question(question, variants.same), experiment)
    margins = question.margins
    shared = replace(question, margins=margins._replace(alpha=margins.alpha / len(variants.candidates)))
    return [
        compare_with_checks(source, window, variants.question(shared, candidate), experiment, checks)
        for candidate in variants.candidates
    ]


def _check_same(source: Source, window: Window, question: Question, experiment: str) -> Iterator[Check]:
    """Compare the two baselines in both directions. If one is surely worse, the experiment is not valid."""
    margins = question.margins._replace(alpha=SAME_ALPHA / 2)
    guards = tuple(_as_guard(gate) for gate in question.gates)
    question = replace(question, margins=margins, by_route=False, gate_routes=False, gates=guards)
    swapped = replace(
        question,
        baseline=question.candidate,
        candidate=question.baseline,
        split=None if question.split is None else 1 - question.split,
        ramp=tuple(step._replace(share=1 - step.share) for step in question.ramp),
    )
    comparisons = [compare(source, window, each, experiment) for each in (question, swapped)]
    differing = [f"{name} of {each.question.candidate}" for each in comparisons for name in each.failed]
    names = f"{question.baseline} and {question.candidate}"
    seen = (
        f"{names} are the same, but differ: worse are {', '.join(differing)}"
        if differing
        else (f"{names} do not differ surely")
    )
    yield Check("A/A", not differing, seen)
    yield from (
        check._replace(name=f"{check.name} of {question.candidate}")
        for check in comparisons[0].checks
        if not check.holds
    )


def _as_guard(gate: GateSpec) -> GateSpec:
    """Return a goal as a guard rail: two equal variants need not get better."""
    default = FACTOR_MARGIN if gate.is_factor else SHARE_MARGIN
    return replace(gate, aim=replace(gate.aim, goal=False, margin=gate.aim.margin or default))


def overall_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict about all candidates: PASS only if each passes, FAIL if one fails."""
    for verdict in (Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS
