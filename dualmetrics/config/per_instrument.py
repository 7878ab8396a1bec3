"""Settings with one value for all instruments and other values for some of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from dualmetrics.config.parsers import Parser, list_of

_T = TypeVar("_T")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")  # OpenTelemetry's instrument name syntax


@dataclass(frozen=True, repr=False)
class PerInstrument(Generic[_T]):
    """A value for every instrument: ``by_name`` has those of single instruments, ``default`` all others.

    Names are in lower case.
    """

    default: _T
    by_name: Mapping[str, _T] = field(default_factory=dict)

    def __repr__(self) -> str:
        """The value in a form that the argument of the setting takes."""
        return repr({"": self.default, **self.by_name} if self.by_name else self.default)


def per_instrument(parse_value: Parser[_T], default: _T) -> Parser[PerInstrument[_T]]:
    """Parse ``value;instrument=value;...``, or a mapping in which the key ``""`` stands for all others.

    A value alone is allowed, too. ``default`` is used if only single instruments have a value.
    """

    def parse(value: object) -> PerInstrument[_T]:
        given = _split(value) if isinstance(value, str) else value
        pairs = list(given.items()) if isinstance(given, Mapping) else [("", given)]
        by_name = {instrument_name(name) if name else "": parse_value(one) for name, one in pairs}
        if len(by_name) < len(pairs):
            raise ValueError("a value in which each instrument occurs only once")
        return PerInstrument(by_name.pop("", default), MappingProxyType(by_name))

    return parse


def instrument_name(value: object) -> str:
    """Parse the name of an instrument. It is returned in lower case, as the meter stores it."""
    if not isinstance(value, str) or not _NAME.fullmatch(value.strip()):
        raise ValueError(
            "a value with valid names of instruments: a letter, then at most 254 letters, digits or _ . - /"
        )
    return value.strip().lower()


def instrument_names(value: object) -> frozenset[str]:
    """Parse a list of instrument names."""
    return frozenset(list_of(instrument_name)(value))


def _split(text: str) -> dict[str, str]:
    """Split ``value;instrument=value;...`` into the values by instrument, with ``""`` for the first one."""
    values: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, separator, value = part.rpartition("=")
        key = instrument_name(name) if separator else ""
        if key in values:
            raise ValueError("value;instrument=value;... in which each instrument occurs only once")
        values[key] = value.strip()
    return values
