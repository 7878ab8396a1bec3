"""Parsers for the values of settings: the text of a variable, or a natural Python value.

Every parser raises ValueError with words that complete the sentence "must be ...". These words never contain
the value, so no secret gets into a message. If a part of a bad value can be used, the error is a
`PartlyUsableError`. `validators` has the parsers of single settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import unquote

_T = TypeVar("_T")
Parser = Callable[[object], _T]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")  # how Python represents bytes of a variable that are not UTF-8


class PartlyUsableError(ValueError):
    """A value that is not allowed, but of which something can be used.

    An argument or a variable of our own is refused all the same. Of a variable of OpenTelemetry, ``value`` is
    used. ``outcome`` says so in a warning.
    """

    def __init__(self, words: str, value: Any, outcome: str) -> None:
        super().__init__(words)
        self.value = value
        self.outcome = outcome


def text(value: object) -> str:
    """Parse any text in UTF-8, also an empty one."""
    if not isinstance(value, str) or _NOT_UTF8.search(value):
        raise ValueError("text in UTF-8")
    return value


def single_line(value: object) -> str:
    """Parse a line of text that is not empty."""
    if not isinstance(value, str) or not value or _CONTROL.search(value) or _NOT_UTF8.search(value):
        raise ValueError("text in UTF-8 that is not empty and has no control characters")
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
    """Parse ``true`` or ``false``, in upper or lower case.

    In a variable of OpenTelemetry, any other word means false (specification, "Environment Variables").
    """
    if isinstance(value, bool):
        return value
    try:
        return choice("true", "false")(value) == "true"
    except ValueError as error:
        raise PartlyUsableError(str(error), False, "it is taken as false") from None


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


def subset(*allowed: str, aliases: Collection[str] = ()) -> Parser[frozenset[str]]:
    """Parse a list of some of these words. The single word ``none`` and a list without items mean none.

    ``aliases`` are allowed, too, but not mentioned in the message.
    """
    words = f"a list with any of {', '.join(allowed)}, or only the word none"

    def parse(value: object) -> frozenset[str]:
        given = {word.lower() for word in list_of(text)(value)}
        chosen = frozenset(given & {*allowed, *aliases})
        is_blank = isinstance(value, str) and not given  # such as a lone comma
        if (given == chosen and not is_blank) or given == {"none"}:
            return chosen
        if chosen:
            raise PartlyUsableError(words, chosen, f"of it, {', '.join(sorted(chosen))} is used")
        raise ValueError(words)

    return parse


def key_value_pairs(
    parse_key: Parser[str], parse_value: Parser[str] = single_line, *, skips_bad_pairs: bool = False
) -> Parser[Mapping[str, str]]:
    """Parse a mapping, or ``key=value,key=value`` with percent-encoded keys and values.

    This is the form of OTEL_RESOURCE_ATTRIBUTES. ``skips_bad_pairs``: a bad pair leaves the others usable.
    """

    def parse(value: object) -> Mapping[str, str]:
        pairs: list[tuple[str, str]] = []
        refused = ""
        for item in value.items() if isinstance(value, Mapping) else list_of(_split)(value):
            try:
                pairs.append((parse_key(item[0]), parse_value(item[1])))
            except ValueError as error:
                refused = refused or str(error)
        found = MappingProxyType(dict(pairs))
        if refused and skips_bad_pairs and found:
            raise PartlyUsableError(refused, found, "only the valid pairs are used")
        if refused:
            raise ValueError(refused)
        if len(found) < len(pairs):
            words = "key=value,key=value in which each key occurs only once"
            raise PartlyUsableError(words, found, "of a key that is repeated, the last value is used")
        return found

    return parse


def _split(item: object) -> tuple[str | None, str]:
    """Split ``key=value``. The key is None if there is none, or what is percent-encoded is not UTF-8."""
    key, separator, value = item.partition("=") if isinstance(item, str) else ("", "", "")
    try:
        decoded = unquote(key.strip(), errors="strict"), unquote(value.strip(), errors="strict")
    except UnicodeDecodeError:
        return None, ""
    return decoded if separator else (None, "")
