"""An exemplar of prometheus_client as one of ours.

By OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md``, *Prometheus Metric points to OTLP*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from prometheus_client.samples import Exemplar as ClientExemplar
from prometheus_client.samples import Timestamp

from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.snapshot import Exemplar

_ID_PATTERNS = {"trace_id": re.compile("[0-9a-fA-F]{32}"), "span_id": re.compile("[0-9a-fA-F]{16}")}
_MAX_NANOSECONDS = (1 << 64) - 1  # a time in OTLP is an unsigned 64-bit number


def to_exemplar(exemplar: ClientExemplar | None) -> Exemplar | None:
    """Convert an exemplar. None if there is none, or if it is invalid.

    The labels ``trace_id`` and ``span_id`` become ids if they are valid; all other labels become
    attributes. An exemplar without a time gets the time 0.
    """
    if not exemplar:
        return None
    try:
        value, time_ns = float(exemplar.value), _nanoseconds(exemplar.timestamp)
        return _convert(value, time_ns, exemplar.labels) if math.isfinite(value) else None
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None


def _convert(value: float, time_ns: int, labels: Mapping[str, str]) -> Exemplar:
    ids = {name: _parse_id(name, labels.get(name, "")) for name in _ID_PATTERNS}
    others = {clean_text(name): clean_text(text) for name, text in labels.items() if not ids.get(name)}
    return Exemplar(value, time_ns, ids["trace_id"], ids["span_id"], tuple(sorted(others.items())))


def _parse_id(name: str, text: str) -> int:
    """0 if ``text`` is no valid id. An id of zeros is not valid either (W3C Trace Context)."""
    return int(text, 16) if _ID_PATTERNS[name].fullmatch(text) else 0


def _nanoseconds(timestamp: float | Timestamp | None) -> int:
    if isinstance(timestamp, Timestamp):
        time_ns = timestamp.sec * 10**9 + timestamp.nsec
    else:
        time_ns = int((timestamp or 0.0) * 1e9)
    return time_ns if 0 < time_ns <= _MAX_NANOSECONDS else 0
