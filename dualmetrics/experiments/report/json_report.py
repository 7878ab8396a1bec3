"""A comparison as JSON: every number, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.gates import Gate
from dualmetrics.experiments.report.formatting import gate_state
from dualmetrics.experiments.report.summary import verdict_reason

REPORT_VERSION = 1


def json_report(comparison: Comparison) -> str:
    """Return one JSON object. Numbers that are not finite are null."""
    return json.dumps(_finite(_as_dict(comparison)), indent=2, allow_nan=False) + "\n"


def _as_dict(comparison: Comparison) -> dict[str, Any]:
    question = comparison.question
    baseline, candidate = comparison.evidence.total
    return {
        "version": REPORT_VERSION,
        "experiment": comparison.experiment,
        "verdict": comparison.verdict.name,
        "reason": verdict_reason(comparison),
        "still_needed_seconds": comparison.still_needed,
        "early": comparison.window.early,
        "window": asdict(comparison.window),
        "question": asdict(question),
        "metrics": asdict(comparison.names),
        "requests": {
            question.baseline: float(baseline.requests.sum()),
            question.candidate: float(candidate.requests.sum()),
        },
        "checks": [check._asdict() for check in comparison.checks],
        "gates": [_gate(comparison, gate) for gate in comparison.gates],
        "routes": [
            {"route": each.route, "q": each.q, **_gate(comparison, each.gate)} for each in comparison.routes
        ],
        "notes": comparison.notes,
    }


def _gate(comparison: Comparison, gate: Gate) -> dict[str, Any]:
    return {**asdict(gate), "state": gate_state(comparison, gate)}


def _finite(value: Any) -> Any:
    """Replace the numbers in nested dictionaries and lists that JSON cannot express."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
