"""OTLP names, units and attribute values as Prometheus has them.

The rules are those of Prometheus' own translator of OTLP, which in turn follows OpenTelemetry's
``compatibility/prometheus_and_openmetrics.md``, so that a series has one name whether it was scraped or pushed.
"""

from __future__ import annotations

import json
import re

from dualmetrics.snapshot import AttributeValue, Descriptor, Kind

UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
PER_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")
_EXACT = 1e15  # below it, every whole double has a shortest form without an exponent


def metric_name(descriptor: Descriptor, namespace: str = "") -> str:
    """The metric's name with its unit, ``_total`` for counters and ``_ratio`` for gauges of unit 1."""
    tokens = [token for token in _NOT_IN_NAMES.split(descriptor.name) if token]
    for word in unit_words(descriptor.unit):
        if word not in tokens:
            tokens.append(word)
    if descriptor.kind is Kind.COUNTER:
        tokens = _at_the_end(tokens, "total")
    if descriptor.unit == "1" and _is_gauge(descriptor):
        tokens = _at_the_end(tokens, "ratio")
    name = "_".join([namespace, *tokens] if namespace else tokens) or "_"
    return f"_{name}" if name[0].isdigit() else name


def unit_words(unit: str) -> list[str]:
    """The words that a UCUM unit adds to a name: ``m/s`` is ``meters`` and ``per_second``; ``{...}`` adds none."""
    main, _, per = unit.partition("/")
    words = [_clean(UNITS.get(main.strip(), main.strip()))] if "{" not in main and "}" not in main else []
    if per.strip() and "{" not in per and "}" not in per:
        words.append("per_" + _clean(PER_UNITS.get(per.strip(), per.strip())))
    return [word for word in words if word not in ("", "per_")]


def label_name(key: str) -> str:
    """An attribute's name as a label: ``_`` for what is not allowed, ``key`` before a digit or an underscore.

    Prometheus' translator keeps names that begin with two underscores; on a page these are reserved.
    """
    name = _NOT_IN_LABELS.sub("_", key)
    if name[:1].isdigit():
        return f"key_{name}"
    return f"key{name}" if name.startswith("_") else name


def label_value(value: AttributeValue) -> str:
    """An attribute's value as text: ``1`` for 1.0, ``true``, compact JSON for sequences."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def number(value: float) -> str:
    """A number as Prometheus writes it: ``42``, ``0.5``, ``NaN``, ``+Inf``."""
    if -_EXACT < value < _EXACT and value == int(value):
        return str(int(value))
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _is_gauge(descriptor: Descriptor) -> bool:
    # An up-down counter is a gauge on the page, but Prometheus' translator gives it no `_ratio`.
    return descriptor.kind is Kind.GAUGE


def _at_the_end(tokens: list[str], word: str) -> list[str]:
    return [token for token in tokens if token != word] + [word]


def _clean(word: str) -> str:
    return _NOT_IN_NAMES.sub("_", word).strip("_")
