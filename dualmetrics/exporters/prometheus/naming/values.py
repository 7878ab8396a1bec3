"""Values as text: those of samples, bucket bounds and attributes.

OpenTelemetry's common specification (*attribute*) writes every attribute value but a string as JSON.
Prometheus' translator writes JSON as Go does: without spaces, and ``1`` for ``1.0``.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal

from dualmetrics.model.attributes import AttributeValue

_NOT_FINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
_NOT_FINITE_JSON = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def sample_value(value: float) -> str:
    """The value of a sample: ``42`` for an integer, else the shortest text that reads back the same."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    return _NOT_FINITE.get(text, text)


def positional_decimal(value: float) -> str:
    """A number without an exponent: Go's ``strconv.FormatFloat(value, 'f', -1, 64)``."""
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def canonical_bound(value: float) -> str:
    """A bucket bound in OpenMetrics' canonical form: ``1.0``, ``0.005``, ``1e+06``.

    This is Go's ``%g``, with a point added to integers. Prometheus 3 converts every ``le`` into this form.
    """
    exponent = Decimal(repr(float(value))).adjusted() if value else 0
    text = positional_decimal(value) if -5 < exponent < 6 else _scientific(value, exponent)
    return text if "." in text or "e" in text else f"{text}.0"


def _scientific(value: float, exponent: int) -> str:
    mantissa = Decimal(repr(float(value))).scaleb(-exponent).normalize()
    return f"{mantissa}e{exponent:+03d}"


def label_value(value: AttributeValue) -> str:
    """The value of an attribute as the value of a label."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return f"[{','.join(map(_json_element, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _json_number(value) if isinstance(value, float) else str(value)


def _json_element(value: str | bool | float) -> str:
    text = label_value(value)
    is_quoted = isinstance(value, str) or text in _NOT_FINITE_JSON.values()  # JSON has no such numbers
    return json.dumps(text, ensure_ascii=False) if is_quoted else text


def _json_number(value: float) -> str:
    if not math.isfinite(value):
        return _NOT_FINITE_JSON[repr(value)]
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return positional_decimal(value)
    return repr(value).replace("e-0", "e-")
