"""Normalizes the attributes that an app passes to an instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.runtime.errors import ErrorReporter

MAX_TEXT_LENGTH = 4096
"""How many characters of a text are kept, so that a client cannot fill the memory with what it sends."""

MAX_ITEMS = 128
"""How many items of a sequence are kept."""

_INT64 = range(-(2**63), 2**63)
"""The integers that OTLP can carry (AnyValue.int_value)."""


def normalize_attributes(attributes: Mapping[str, object] | None, errors: ErrorReporter) -> Attributes:
    """Return the attributes sorted by key, with plain types as values and sequences as tuples.

    A value is a ``str``, ``bool``, ``int``, ``float`` or a sequence of one of them (OpenTelemetry common
    specification, *attribute*). ``bytes`` are decoded as UTF-8. An attribute that OTLP cannot carry is
    dropped and logged once. Texts are cut after `MAX_TEXT_LENGTH` characters and sequences after `MAX_ITEMS`
    items. A character that is not valid Unicode becomes ``?``.
    """
    normalized: dict[str, AttributeValue] = {}
    for key, value in (attributes or {}).items():
        clean_value = _clean(value)
        if isinstance(key, str) and key and clean_value is not None:
            normalized[clean_text(key)] = clean_value
        else:
            _report_dropped(key, value, errors)
    return tuple(sorted(normalized.items(), key=lambda pair: pair[0]))


def clean_text(value: str) -> str:
    """Return ``value`` as a plain string that can be sent: valid Unicode of a limited length."""
    plain = str.__str__(value[:MAX_TEXT_LENGTH])
    try:
        plain.encode()
    except UnicodeEncodeError:  # a lone surrogate, which os.fsdecode gives for bytes that are not UTF-8
        return plain.encode("utf-8", "replace").decode()
    return plain


def is_short(items: Iterable[tuple[object, object]]) -> bool:
    """Whether attributes are small enough to be kept in memory as the app passed them."""
    return all(len(part) <= MAX_TEXT_LENGTH for item in items for part in item if isinstance(part, Sized))


def _clean(value: object) -> AttributeValue | None:
    scalar = _clean_scalar(value)
    if scalar is not None or not isinstance(value, Sequence):
        return scalar
    items = tuple(_clean_scalar(item) for item in value[:MAX_ITEMS])
    if len({type(item) for item in items}) > 1 or None in items:
        return None
    return items  # type: ignore[return-value]  # the line above made sure that all have one type


def _clean_scalar(value: object) -> str | bool | int | float | None:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        plain = int(value)  # `in` is a comparison for an int, but a search through the range for a subclass
        return plain if plain in _INT64 else None
    if isinstance(value, float):
        return float(value)
    return value[:MAX_TEXT_LENGTH].decode("utf-8", "replace") if isinstance(value, bytes) else None


def _report_dropped(key: object, value: object, errors: ErrorReporter) -> None:
    errors.log_once(
        f"attribute {key!r}",
        "dualmetrics: the attribute %r with a value of type %s is dropped; a name must be a non-empty string "
        "and a value a str, bool, 64-bit int, float, or a sequence of one of these types. Pass such a value",
        key,
        type(value).__name__,
    )
