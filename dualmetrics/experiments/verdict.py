"""From gates to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.statistics.multiplicity import holm

ALPHA = 0.05


class Verdict(Enum):
    """What came out, with the exit status of the command."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 3
    INVALID = 4


def decide(gates: Sequence[Gate], alpha: float = ALPHA, routes: Sequence[Gate] = ()) -> Verdict:
    """PASS if every gate is within its margin; FAIL if one is surely worse and not within; else INCONCLUSIVE.

    To pass, all must hold, which needs no correction (intersection-union test, Berger 1982); to fail, one is
    enough, which does: Holm's. Gates of ``routes`` may make it fail, and need not be within.
    """
    if any(failing_gates((*gates, *routes), alpha)):
        return Verdict.FAIL
    return Verdict.PASS if gates and all(gate.within for gate in gates) else Verdict.INCONCLUSIVE


def failing_gates(gates: Sequence[Gate], alpha: float = ALPHA) -> list[bool]:
    """Which gates make it fail."""
    adjusted = holm([gate.p_worse for gate in gates])
    return [p <= alpha and not gate.within for p, gate in zip(adjusted, gates, strict=True)]
