"""Parsers for the values of settings: the text of a variable, or a natural Python value.

Every parser raises ValueError with words that complete the sentence "must be ...". These words never contain
the value, so no secret gets into a message. `validators` has the parsers of single settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import unquote

_T = TypeVar("_T")
Parser = Callable[[object], _T]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def single_line(value: object) -> str:
    """Parse a line of text that is not empty."""
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise ValueError("text that is not empty and has no control characters")
    return value


def regex(pattern: str, words: str) -> Parser[str]:
    """Parse text that matches ``pattern`` completely. ``words`` describe the pattern for people."""
    compiled = re.compile(pattern)

    def parse(value: object) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(words)
        return value

    return parse


def choice(*allowed: str) -> Parser[str]:
    """Parse one of these words, in upper or lower case."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value.lower()

    return parse


def boolean(value: object) -> bool:
    """Parse ``true`` or ``false``, in upper or lower case. OpenTelemetry allows no other words."""
    if isinstance(value, bool):
        return value
    return choice("true", "false")(value) == "true"


def finite_number(words: str, *, least: float = -math.inf, above: float = -math.inf) -> Parser[float]:
    """Parse a finite number that is at least ``least`` and greater than ``above``."""

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
    """Parse a whole number from ``least`` to ``most``."""

    def parse(value: object) -> int:
        parsed = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) else value
        if isinstance(parsed, bool) or not isinstance(parsed, int) or not least <= parsed <= most:
            raise ValueError(words)
        return parsed

    return parse


def list_of(parse_one: Parser[_T]) -> Parser[tuple[_T, ...]]:
    """Parse items separated by commas, or any iterable except a mapping, with ``parse_one``."""

    def parse(value: object) -> tuple[_T, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, Iterable) or isinstance(value, (Mapping, bytes)):
            raise ValueError("a list, or text with commas between the items")
        return tuple(map(parse_one, value))

    return parse


def subset(*allowed: str) -> Parser[frozenset[str]]:
    """Parse a list of some of these words. An empty list and the single word ``none`` give an empty set."""
    words = f"a list with any of {', '.join(allowed)}, or only the word none"

    def parse(value: object) -> frozenset[str]:
        try:
            chosen = frozenset(list_of(choice(*allowed, "none"))(value))
        except ValueError:
            raise ValueError(words) from None
        if "none" in chosen and len(chosen) > 1:
            raise ValueError(words)
        return chosen - {"none"}

    return parse


def key_value_pairs(
    parse_key: Parser[str], parse_value: Parser[str] = single_line
) -> Parser[Mapping[str, str]]:
    """Parse a mapping, or ``key=value,key=value`` with percent-encoded values (OTEL_RESOURCE_ATTRIBUTES)."""

    def parse(value: object) -> Mapping[str, str]:
        given = value.items() if isinstance(value, Mapping) else map(_split, list_of(single_line)(value))
        pairs = [(parse_key(key), parse_value(one)) for key, one in given]
        if len(dict(pairs)) < len(pairs):
            raise ValueError("key=value,key=value in which each key occurs only once")
        return MappingProxyType(dict(pairs))

    return parse


def _split(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator:
        raise ValueError("key=value,key=value")
    return key.strip(), unquote(value.strip())
