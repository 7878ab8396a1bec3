"""Numbers as text: of samples, of bounds, and of attributes."""

from __future__ import annotations

from decimal import Decimal

_NOT_FINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def number(value: float) -> str:
    """A sample's value: ``42`` for a whole number, else the shortest text that reads back the same."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    return _NOT_FINITE.get(text, text)


def positional(value: float) -> str:
    """Without exponent, whole numbers without a point: Go's ``strconv.FormatFloat(value, 'f', -1, 64)``."""
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def canonical(value: float) -> str:
    """OpenMetrics' canonical form of a bound: ``1.0``, ``0.005``, ``1e+06``.

    It is Go's ``%g`` with a point added to whole numbers. Prometheus 3 brings every ``le`` into this form.
    """
    exponent = Decimal(repr(float(value))).adjusted() if value else 0
    text = positional(value) if -5 < exponent < 6 else _scientific(value, exponent)
    return text if "." in text or "e" in text else f"{text}.0"


def _scientific(value: float, exponent: int) -> str:
    mantissa = Decimal(repr(float(value))).scaleb(-exponent).normalize()
    return f"{mantissa}e{exponent:+03d}"
