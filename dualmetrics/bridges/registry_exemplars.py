"""A Prometheus client's exemplar as ours.

By OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md``, *Prometheus Metric points to OTLP*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from prometheus_client.samples import Exemplar as Found
from prometheus_client.samples import Timestamp

from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.snapshot import Exemplar

_IDS = {"trace_id": re.compile("[0-9a-fA-F]{32}"), "span_id": re.compile("[0-9a-fA-F]{16}")}
_LATEST = (1 << 64) - 1  # what OTLP can say, in nanoseconds


def exemplar(found: Found | None) -> Exemplar | None:
    """Labels that are ids become these, the others attributes; a time of 0 is none. None if it is garbage."""
    if not found:
        return None
    try:
        value, time = float(found.value), _nanoseconds(found.timestamp)
        return _made(value, time, found.labels) if math.isfinite(value) else None
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None


def _made(value: float, time: int, labels: Mapping[str, str]) -> Exemplar:
    ids = {name: _id(name, labels.get(name, "")) for name in _IDS}
    others = {clean_text(name): clean_text(said) for name, said in labels.items() if not ids.get(name)}
    return Exemplar(value, time, ids["trace_id"], ids["span_id"], tuple(sorted(others.items())))


def _id(name: str, said: str) -> int:
    """0 if it is none; an id of zeros is none either (W3C Trace Context)."""
    return int(said, 16) if _IDS[name].fullmatch(said) else 0


def _nanoseconds(timestamp: float | Timestamp | None) -> int:
    if isinstance(timestamp, Timestamp):
        found = timestamp.sec * 10**9 + timestamp.nsec
    else:
        found = int((timestamp or 0.0) * 1e9)
    return found if 0 < found <= _LATEST else 0
