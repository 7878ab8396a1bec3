"""From gates to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.statistics.multiplicity import holm


class Verdict(Enum):
    """The result of a comparison. The value is the exit status of the command."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 3
    INVALID = 4


def decide(gates: Sequence[Gate], route_gates: Sequence[Gate], alpha: float) -> Verdict:
    """Return PASS if every gate is within its margin, FAIL if one is surely worse, else INCONCLUSIVE.

    To pass, all gates must hold, which needs no correction (intersection-union test, Berger 1982). To fail,
    one gate is enough, which needs Holm's correction. The gates of routes may make the comparison fail, but
    they need not be within their margins.
    """
    if any(failing_gates((*gates, *route_gates), alpha)):
        return Verdict.FAIL
    return Verdict.PASS if gates and all(gate.within for gate in gates) else Verdict.INCONCLUSIVE


def failing_gates(gates: Sequence[Gate], alpha: float) -> list[bool]:
    """Return for each gate whether it is worse, after Holm's correction, and not within its margin."""
    adjusted = holm([gate.p_worse for gate in gates])
    return [p <= alpha and not gate.within for p, gate in zip(adjusted, gates, strict=True)]
