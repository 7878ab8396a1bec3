"""Names of metrics and labels, as Prometheus' own OTLP translator makes them.

A metric that is pushed to Prometheus and the same metric scraped from the page are one series only if
both ways translate alike. So the rules are those of the Go module ``prometheus/otlptranslator`` with
Prometheus' default settings (``UnderscoreEscapingWithSuffixes``), which in turn apply OpenTelemetry's
``compatibility/prometheus_and_openmetrics.md``.
"""

from __future__ import annotations

import functools
import re

from dualmetrics.model.descriptor import Kind

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
"""UCUM units and the words for them; any other unit is its own word. (Prometheus spells ``tibibytes`` so.)"""

UNITS_PER = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
"""What may stand behind the slash of a unit. The ``m`` there is a minute."""

_TOKEN = re.compile(r"[A-Za-z0-9:]+")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9:]+")
_NO_LABEL = re.compile(r"[^A-Za-z0-9_]")


@functools.lru_cache(4096)
def metric_name(name: str, unit: str, kind: Kind, namespace: str = "") -> str:
    """The name on the page; empty if nothing of ``name`` is left.

    A unit's word is added unless it is one of the name's words already; ``_total`` ends a counter, ``_ratio``
    a gauge of unit 1, and neither is repeated: ``total.hits`` becomes ``hits_total``.
    """
    words = _TOKEN.findall(name)
    main, per = unit_words(unit)
    words += [word for word in (main, per) if word and word not in words]
    if kind is Kind.COUNTER:
        words = _ending(words, "total")
    if kind is Kind.GAUGE and unit == "1":
        words = _ending(words, "ratio")
    if not words:
        return ""
    whole = "_".join([namespace, *words] if namespace else words)
    return f"_{whole}" if whole[0].isdigit() else whole


def legal_name(name: str, colon: str = ":") -> str:
    """A name of Prometheus' own as the classic formats have it; since its version 3 it may be any text."""
    plain = re.sub(rf"[^A-Za-z0-9_{colon}]", "_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def unit_name(unit: str, kind: Kind) -> str:
    """The unit as ``# UNIT`` has it, such as ``bytes_per_second``; empty if there is none."""
    if unit == "1":
        return "ratio" if kind is Kind.GAUGE else ""
    return "_".join(filter(None, unit_words(unit))).strip("_")


@functools.lru_cache(4096)
def label_name(key: str) -> str:
    """An attribute's key as the name of a label.

    ``key`` is put before what does not begin with a letter. The translator leaves names with two leading
    underscores alone; on a page these are reserved, and parsers refuse them.
    """
    name = _NO_LABEL.sub("_", key) or "_"
    if name[0].isdigit():
        return f"key_{name}"
    return f"key{name}" if name[0] == "_" else name


def unit_words(unit: str) -> tuple[str, str]:
    """``By/s`` is ``bytes`` and ``per_second``. Parts with a UCUM annotation in braces say nothing."""
    main, _, below = (part.strip() for part in unit.partition("/"))
    word = "" if _annotated(main) else _clean(UNITS.get(main, main))
    per = "" if _annotated(below) else _clean(f"per_{UNITS_PER.get(below, below)}").removesuffix("_")
    if per in ("", "per"):
        return word, ""
    return word.removesuffix("_"), per


def _ending(words: list[str], last: str) -> list[str]:
    return [word for word in words if word != last] + [last]


def _annotated(part: str) -> bool:
    return not part or "{" in part or "}" in part


def _clean(word: str) -> str:
    return _NO_TOKEN.sub("_", word).removeprefix("_")
