"""Attributes in canonical form."""

from __future__ import annotations

AttributeValue = (
    str | bool | int | float | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]
)


Attributes = tuple[tuple[str, AttributeValue], ...]
"""Attributes in canonical form: pairs sorted by key, with tuples for sequences. They are hashable, but
``1 == True == 1.0`` in Python. Use :func:`attributes_key` to tell these apart."""


def attributes_key(attributes: Attributes) -> tuple[tuple[str, str, object], ...]:
    """Return a key that two attribute sets share only if OTLP sends the same for both.

    It tells ``1``, ``1.0`` and ``True`` apart, also inside sequences, and treats NaN as equal to itself.
    """
    return tuple((key, type(value).__name__, _comparable(value)) for key, value in attributes)


def _comparable(value: AttributeValue) -> object:
    if isinstance(value, tuple):
        return tuple((type(item).__name__, _comparable(item)) for item in value)
    return repr(value) if isinstance(value, float) else value
