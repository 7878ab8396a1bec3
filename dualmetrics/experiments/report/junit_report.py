"""A comparison as JUnit XML, which CI systems show as tests: the verdict, each check and each gate."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from junitparser import Error as Broken
from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from dualmetrics.experiments.checks import Check
from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.explanations import STATE_WORDS, explain_gate, remarks
from dualmetrics.experiments.report.formatting import gate_state
from dualmetrics.experiments.report.summary import headline, title, verdict_reason
from dualmetrics.experiments.verdict import Verdict
from dualmetrics.runtime.printable import printable

Outcome = Broken | Failure | Skipped


def junit_report(comparison: Comparison) -> str:
    """Return one suite. FAIL is a failure, what is not decided is skipped, and INVALID is an error."""
    return junit_document([comparison])


def junit_document(comparisons: Iterable[Comparison]) -> str:
    """Return a suite for each candidate."""
    document = JUnitXml("dualmetrics compare")
    for comparison in comparisons:
        suite = TestSuite(printable(title(comparison)))
        suite.add_testcases(list(_cases(comparison)))
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser has types for the rest
    xml = io.BytesIO()
    document.write(xml, pretty=True)
    return xml.getvalue().decode("utf-8").rstrip() + "\n"


def _cases(comparison: Comparison) -> Iterator[TestCase]:
    yield _case(comparison, "verdict", verdict_reason(comparison), _verdict_outcome(comparison))
    for check in comparison.checks:
        yield _case(comparison, f"check: {check.name}", check.seen, _check_outcome(check))
    for gate in comparison.gates:
        words = " ".join([*explain_gate(comparison, gate), *remarks(gate)])
        yield _case(comparison, f"gate: {gate.name}", words, _gate_outcome(comparison, gate))


def _case(comparison: Comparison, name: str, words: str, outcome: Outcome | None) -> TestCase:
    """Return a test case. XML allows no control characters, which names of others may have."""
    case = TestCase(printable(name), printable(title(comparison)))
    if outcome is None:
        case.system_out = printable(words)
    else:
        outcome.text = printable(words)
        case.result = [outcome]
    return case


def _verdict_outcome(comparison: Comparison) -> Outcome | None:
    verdict = comparison.verdict
    message = f"{verdict.name}: {headline(comparison)}"
    if verdict is Verdict.FAIL:
        return Failure(message)
    if verdict is Verdict.INVALID:
        return Broken(message)
    return Skipped(message) if verdict is Verdict.INCONCLUSIVE else None


def _check_outcome(check: Check) -> Outcome | None:
    if check.state == "broken":
        return Broken("The data cannot be used.")
    return Skipped("More data may mend this.") if check.state == "waiting" else None


def _gate_outcome(comparison: Comparison, gate: Gate) -> Outcome | None:
    state = gate_state(comparison, gate)
    if state in ("worse", "missed"):
        return Failure(f"{gate.name}: {STATE_WORDS[state]}")
    return Skipped("Not decided.") if state == "open" else None
