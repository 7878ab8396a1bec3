"""Attributes in canonical form."""

from __future__ import annotations

AttributeValue = (
    str | bool | int | float | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]
)


Attributes = tuple[tuple[str, AttributeValue], ...]
"""Attributes in canonical form: pairs sorted by key, sequences as tuples. Hashable, but note that
``1 == True == 1.0`` in Python: :func:`identity` tells them apart."""


def attributes_key(attributes: Attributes) -> tuple[tuple[str, str, object], ...]:
    """A key under which two attribute sets are equal only if OTLP sends the same for both.

    Tells ``1``, ``1.0`` and ``True`` apart, also inside sequences, and finds NaN equal to itself.
    """
    return tuple((key, type(value).__name__, _plain(value)) for key, value in attributes)


def _plain(value: AttributeValue) -> object:
    if isinstance(value, tuple):
        return tuple((type(item).__name__, _plain(item)) for item in value)
    return repr(value) if isinstance(value, float) else value
