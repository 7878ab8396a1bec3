"""Attribute values as the values of labels.

OpenTelemetry's common specification (*attribute*) has anything but a string written as JSON. Prometheus'
translator does it as Go does: no blanks, ``1`` for ``1.0``.
"""

from __future__ import annotations

import json
import math

from dualmetrics.exporters.prometheus.naming.numbers import positional
from dualmetrics.model.attributes import AttributeValue

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def label_value(value: AttributeValue) -> str:
    """An attribute's value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return f"[{','.join(map(_element, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float(value) if isinstance(value, float) else str(value)


def _element(value: str | bool | float) -> str:
    text = label_value(value)
    quoted = isinstance(value, str) or text in _NOT_FINITE.values()  # JSON has no number for these
    return json.dumps(text, ensure_ascii=False) if quoted else text


def _float(value: float) -> str:
    if not math.isfinite(value):
        return _NOT_FINITE[repr(value)]
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return positional(value)
    return repr(value).replace("e-0", "e-")
