"""Units: UCUM, which OTLP uses, and the words for them in Prometheus names."""

from __future__ import annotations

UNIT_WORDS = {
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
"""The words for UCUM units. Any other unit is its own word. (The spelling ``tibibytes`` is Prometheus'.)"""

PER_UNIT_WORDS = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
"""The words for units after the slash, where ``m`` is a minute."""

_UNITS = {word: unit for unit, word in UNIT_WORDS.items()} | {"": "", "tebibytes": "TiBy", "ratio": "1"}
_PER_UNITS = {word: unit for unit, word in PER_UNIT_WORDS.items()}


def to_ucum(words: str) -> str:
    """The UCUM unit for the words in a Prometheus name: ``bytes_per_second`` is ``By/s``.

    An unknown word stays as it is.
    """
    main, per, divisor = words.partition("_per_")
    unit = _UNITS.get(main, main)
    return f"{unit}/{_PER_UNITS.get(divisor, divisor)}" if per else unit
