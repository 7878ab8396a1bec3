"""Names of metrics and labels, as Prometheus' own OTLP translator makes them.

A metric that is pushed to Prometheus and the same metric scraped from the page are one series only if both
are translated alike. So the rules are those of the Go module ``prometheus/otlptranslator`` 1.0 with the
strategy ``UnderscoreEscapingWithSuffixes``, which in turn follow OpenTelemetry's
``compatibility/prometheus_and_openmetrics.md``. As in Prometheus and in the Collector, several underscores in
a label are kept (``PreserveMultipleUnderscores``).
"""

from __future__ import annotations

import functools
import re

from dualmetrics.model.descriptor import Kind
from dualmetrics.model.units import PER_UNIT_WORDS, UNIT_WORDS

_WORD = re.compile(r"[A-Za-z0-9:]+")
_NOT_IN_WORD = re.compile(r"[^A-Za-z0-9:]+")
_NOT_IN_LABEL = re.compile(r"[^A-Za-z0-9_]")


@functools.lru_cache(4096)
def metric_name(name: str, unit: str, kind: Kind, namespace: str = "") -> str:
    """The name on the page; empty if ``name`` has no letter or digit.

    The unit's words are appended unless the name has them already. A counter ends with ``_total`` and a gauge
    of unit 1 with ``_ratio``. Neither is repeated: ``total.hits`` becomes ``hits_total``.
    """
    words = _WORD.findall(name)
    main, per = unit_words(unit)
    words += [word for word in (main, per) if word and word not in words]
    if kind is Kind.COUNTER:
        words = _move_to_end(words, "total")
    if kind is Kind.GAUGE and unit == "1":
        words = _move_to_end(words, "ratio")
    if not words:
        return ""
    full_name = "_".join([namespace, *words] if namespace else words)
    return f"_{full_name}" if full_name[0].isdigit() else full_name


def legal_name(name: str, colon: str = ":") -> str:
    """A Prometheus name with only the characters of the classic formats; since version 3 it may have any."""
    legal = re.sub(rf"[^A-Za-z0-9_{colon}]", "_", name)
    return f"_{legal}" if legal[:1].isdigit() else legal


def unit_name(unit: str, kind: Kind) -> str:
    """The unit for ``# UNIT``, such as ``bytes_per_second``; empty if there is none."""
    if unit == "1":
        return "ratio" if kind is Kind.GAUGE else ""
    return "_".join(filter(None, unit_words(unit))).strip("_")


@functools.lru_cache(4096)
def label_name(key: str) -> str:
    """The name of the label for an attribute's key.

    A name that begins with a digit is prefixed with ``key_``. Two leading underscores are reserved on a page,
    and parsers refuse them, although the translator keeps them. It refuses underscores alone. Such names are
    prefixed with ``key``.
    """
    name = _NOT_IN_LABEL.sub("_", key)
    return f"key_{name}" if name[:1].isdigit() else unreserved_label_name(name)


def unreserved_label_name(name: str) -> str:
    """The same name, but prefixed with ``key`` if it starts with ``__`` or has only underscores."""
    return f"key{name or '_'}" if name.startswith("__") or not name.strip("_") else name


def unit_words(unit: str) -> tuple[str, str]:
    """The words for both parts of a unit: ``bytes`` and ``per_second`` for ``By/s``.

    A part with a UCUM annotation in braces has no words.
    """
    main, _, divisor = (part.strip() for part in unit.partition("/"))
    word = "" if _has_no_words(main) else _to_word(UNIT_WORDS.get(main, main))
    per_word = f"per_{PER_UNIT_WORDS.get(divisor, divisor)}"
    per = "" if _has_no_words(divisor) else _to_word(per_word).removesuffix("_")
    if per in ("", "per"):
        return word, ""
    return word.removesuffix("_"), per


def _move_to_end(words: list[str], last: str) -> list[str]:
    return [word for word in words if word != last] + [last]


def _has_no_words(part: str) -> bool:
    return not part or "{" in part or "}" in part


def _to_word(text: str) -> str:
    return _NOT_IN_WORD.sub("_", text).removeprefix("_")
