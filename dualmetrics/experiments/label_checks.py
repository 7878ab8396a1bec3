"""Whether the labels and the status codes that the question names exist. A typo must not look like a PASS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.samples import SampleLabels
from dualmetrics.experiments.sources.source import VariantSamples

_GRPC_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
STATUSES = (
    tuple(str(code) for code in range(100, 600)),
    tuple(f"{digit}{rest}" for digit in range(1, 6) for rest in ("xx", "XX")),
    _GRPC_NAMES,
    tuple(str(code) for code in range(17)),
)
"""The kinds of status: HTTP codes, their classes, gRPC's names, and gRPC's numbers."""


def check_labels(variants: Sequence[VariantSamples], names: Names, question: Question) -> None:
    """Raise `UsageError` if no series has a label that is needed, or if no status can be an error."""
    series = [labels for samples in variants for labels in _counted_labels(samples, names)]
    _require_label(series, names.status, "status code", "--status-label")
    if question.by_route or question.gate_routes or dict(question.names).get("route"):
        _require_label(series, names.route, "route", "--route-label")
    if series:
        seen = {labels.get(names.status, "") for labels in series} - {""}
        _check_pattern(seen, question.error_status)


def _counted_labels(samples: VariantSamples, names: Names) -> Iterable[SampleLabels]:
    return [each.labels for each in (samples.requests if names.requests else samples.durations)]


def _require_label(series: Sequence[SampleLabels], label: str, meaning: str, option: str) -> None:
    if not series or any(labels.get(label) for labels in series):
        return
    there = sorted({name for labels in series for name in labels} - {"__name__", "le"})
    raise UsageError(
        f"No series has the label {label!r} for the {meaning}; {option} names it. "
        f"The labels are {', '.join(there)}."
    )


def _check_pattern(seen: set[str], pattern: str) -> None:
    """Refuse a pattern that cannot match any status, or that matches all of them.

    A pattern need not match what was seen: there may have been no errors.
    """
    possible = next((kind for kind in STATUSES if seen <= {*kind}), tuple(sorted(seen)))
    matching = [status for status in possible if re.fullmatch(pattern, status)]
    if not matching or len(matching) == len(possible) > 1:
        which = "no status code" if not matching else "every status code"
        raise UsageError(
            f"--error-status {pattern!r} matches {which}. It is a regular expression for the whole code, for "
            f"example 5.. or 429|5..; the codes are {', '.join(sorted(seen))}."
        )
