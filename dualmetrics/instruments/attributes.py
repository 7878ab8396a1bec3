"""Attributes as apps give them, brought into canonical form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.runtime.errors import ErrorReporter

MAX_TEXT_LENGTH = 4096
"""Characters of a text that are kept: what a client sends must not fill the memory."""

MAX_ITEMS = 128
"""Items of a list that are kept."""

_INT64 = range(-(2**63), 2**63)
"""Whole numbers that OTLP can carry (AnyValue.int_value)."""


def normalize_attributes(attributes: Mapping[str, object] | None, errors: ErrorReporter) -> Attributes:
    """Sorted by key, sequences as tuples, subclasses of the allowed types as these.

    Values may be ``str``, ``bool``, ``int``, ``float`` or sequences of one of them (OpenTelemetry common
    spec, *attribute*); ``bytes`` are read as UTF-8. What cannot be sent is left out, and that is said once.
    Texts are cut after `LONGEST` characters, lists after `MOST_ITEMS`; what is no Unicode text becomes ``?``.
    """
    found: dict[str, AttributeValue] = {}
    for key, value in (attributes or {}).items():
        clean = _clean(value)
        if isinstance(key, str) and key and clean is not None:
            found[clean_text(key)] = clean
        else:
            message = "dualmetrics: attribute %r=%r left out: it needs a name, and a value of an allowed type"
            errors.log_once(f"attribute {key!r}", message, key, type(value).__name__)
    return tuple(sorted(found.items(), key=lambda pair: pair[0]))


def _clean(value: object) -> AttributeValue | None:
    scalar = _scalar(value)
    if scalar is not None or not isinstance(value, Sequence):
        return scalar
    items = tuple(_scalar(item) for item in value[:MAX_ITEMS])
    if len({type(item) for item in items}) > 1 or None in items:
        return None
    return items  # type: ignore[return-value]  # all of one type, as was just seen


def _scalar(value: object) -> str | bool | int | float | None:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        whole = int(value)  # of a subclass, a range would look through all its numbers
        return whole if whole in _INT64 else None
    if isinstance(value, float):
        return float(value)
    return value[:MAX_TEXT_LENGTH].decode("utf-8", "replace") if isinstance(value, bytes) else None


def clean_text(value: str) -> str:
    """As it can be sent: a plain string of Unicode text, not too long."""
    plain = str.__str__(value[:MAX_TEXT_LENGTH])
    try:
        plain.encode()
    except UnicodeEncodeError:  # a lone surrogate, such as os.fsdecode gives for bytes that are no UTF-8
        return plain.encode("utf-8", "replace").decode()
    return plain


def is_short(items: Iterable[tuple[object, object]]) -> bool:
    """Whether attributes, as given, are small enough to be remembered in that form."""
    return all(len(part) <= MAX_TEXT_LENGTH for item in items for part in item if isinstance(part, Sized))
