"""Reading settings: from a variable's text, or from a natural Python value.

Each parser raises ValueError with the words that end the sentence "must be ...". None repeats the value in
that text, so that no secret gets into a message this way. `values` has those of single settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import unquote

T = TypeVar("T")
Parser = Callable[[object], T]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INSTRUMENT = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")  # OpenTelemetry's instrument name syntax


def single_line(value: object) -> str:
    """Text of one line, not empty."""
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise ValueError("text without control characters")
    return value


def regex(pattern: str, words: str) -> Parser[str]:
    """Text that matches ``pattern`` as a whole; ``words`` say the pattern for people."""
    whole_text = re.compile(pattern)

    def parse(value: object) -> str:
        if not isinstance(value, str) or not whole_text.fullmatch(value):
            raise ValueError(words)
        return value

    return parse


def choice(*allowed: str) -> Parser[str]:
    """One of these words, in any case."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value.lower()

    return parse


def boolean(value: object) -> bool:
    """``true`` or ``false``, in any case: OpenTelemetry's booleans, which know no other words."""
    if isinstance(value, bool):
        return value
    return choice("true", "false")(value) == "true"


def finite_number(words: str, *, least: float = -math.inf, above: float = -math.inf) -> Parser[float]:
    """A finite number that is at least ``least``, and more than ``above``."""

    def parse(value: object) -> float:
        try:
            parsed = float(value) if isinstance(value, (str, int, float)) else math.nan
        except (ValueError, OverflowError):
            parsed = math.nan
        if isinstance(value, bool) or not math.isfinite(parsed) or parsed < least or parsed <= above:
            raise ValueError(words)
        return parsed

    return parse


def integer(words: str, *, least: int, most: int) -> Parser[int]:
    """A whole number of ``least`` to ``most``."""

    def parse(value: object) -> int:
        given = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) else value
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise ValueError(words)
        return given

    return parse


def list_of(parse_one: Parser[T]) -> Parser[tuple[T, ...]]:
    """A comma list, or any iterable but a mapping, of what ``parse_one`` takes."""

    def parse(value: object) -> tuple[T, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, Iterable) or isinstance(value, (Mapping, bytes)):
            raise ValueError("a list, its items separated by commas")
        return tuple(map(parse_one, value))

    return parse


def subset(*allowed: str) -> Parser[frozenset[str]]:
    """A list of some of these words; the word ``none``, alone, is the empty one, as no item at all is."""
    words = f"a list of {', '.join(allowed)}, or none alone"

    def parse(value: object) -> frozenset[str]:
        try:
            found = frozenset(list_of(choice(*allowed, "none"))(value))
        except ValueError:
            raise ValueError(words) from None
        if "none" in found and len(found) > 1:
            raise ValueError(words)
        return found - {"none"}

    return parse


def key_value_pairs(parse_key: Parser[str], parse_value: Parser[str] = single_line) -> Parser[Mapping[str, str]]:
    """``key=value,key=value``, values percent-encoded (as in OTEL_RESOURCE_ATTRIBUTES), or a mapping."""

    def parse(value: object) -> Mapping[str, str]:
        given = value.items() if isinstance(value, Mapping) else map(_pair, list_of(single_line)(value))
        found = [(parse_key(key), parse_value(one)) for key, one in given]
        if len(dict(found)) < len(found):
            raise ValueError("key=value,key=value with each key once")
        return MappingProxyType(dict(found))

    return parse


def _pair(item: str) -> tuple[str, str]:
    key, mark, value = item.partition("=")
    if not mark:
        raise ValueError("key=value,key=value")
    return key.strip(), unquote(value.strip())


def instrument_name(value: object) -> str:
    """An instrument's name, in lower case as the meter keeps it."""
    if not isinstance(value, str) or not _INSTRUMENT.fullmatch(value.strip()):
        raise ValueError(
            "by instrument names as OpenTelemetry has them: a letter, then letters, digits, _ . - /"
        )
    return value.strip().lower()


def per_instrument(parse_value: Parser[T]) -> Parser[tuple[T | None, Mapping[str, T]]]:
    """``value;instrument=value;...``: one for all, and those of single instruments.

    A mapping does as well, with the key ``""`` for all, and so does a value alone.
    """

    def parse(value: object) -> tuple[T | None, Mapping[str, T]]:
        given = _by_instrument(value) if isinstance(value, str) else value
        found = list(given.items()) if isinstance(given, Mapping) else [("", given)]
        parsed = {instrument_name(name) if name else "": parse_value(one) for name, one in found}
        if len(parsed) < len(found):
            raise ValueError("given once an instrument")
        return parsed.pop("", None), MappingProxyType(parsed)

    return parse


def _by_instrument(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, value.split(";"))):
        name, mark, rest = part.rpartition("=")
        key = instrument_name(name) if mark else ""
        if key in found:
            raise ValueError("value;instrument=value;... with each instrument once")
        found[key] = rest.strip()
    return found
