"""Attributes as apps give them, brought into canonical form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dualmetrics.snapshot import Attributes, AttributeValue
from dualmetrics.trouble import Trouble


def canonical(attributes: Mapping[str, object] | None, trouble: Trouble) -> Attributes:
    """Sorted by key, sequences as tuples, subclasses of the allowed types as these.

    Values may be ``str``, ``bool``, ``int``, ``float`` or sequences of one of them (OpenTelemetry common
    spec, *attribute*); ``bytes`` are read as UTF-8. What cannot be sent is left out, and that is said once.
    """
    found: list[tuple[str, AttributeValue]] = []
    for key, value in (attributes or {}).items():
        clean = _clean(value)
        if isinstance(key, str) and key and clean is not None:
            found.append((str.__str__(key), clean))
        else:
            message = "dualmetrics: attribute %r=%r left out: it needs a name, and a value of an allowed type"
            trouble.once(f"attribute {key!r}", message, key, type(value).__name__)
    return tuple(sorted(found, key=lambda pair: pair[0]))


def _clean(value: object) -> AttributeValue | None:
    scalar = _scalar(value)
    if scalar is not None or not isinstance(value, Sequence):
        return scalar
    items = tuple(_scalar(item) for item in value)
    if len({type(item) for item in items}) > 1 or None in items:
        return None
    return items  # type: ignore[return-value]  # all of one type, as was just seen


def _scalar(value: object) -> str | bool | int | float | None:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None
