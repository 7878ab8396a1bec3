"""Parsers of the settings that are about single routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from dualmetrics.config.parsers import list_of, single_line
from dualmetrics.config.validators import bounds

_ROUTE = "a list of templates of routes that begin with / and may end with *, or the word unmatched"
_BUCKETS = "/route=0.1,1;/other=1,10 with templates that begin with /, each once, and bounds above 0 for each"


def excluded_route(value: object) -> str:
    """Parse a template, which may end with ``*``, or ``unmatched``."""
    if not isinstance(value, str) or not (value.startswith("/") or value == "unmatched"):
        raise ValueError(_ROUTE)
    return value


excluded_routes = list_of(excluded_route)


def path_regex(value: object) -> re.Pattern[str]:
    """Parse a regular expression, which may be compiled already."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        return value
    try:
        return re.compile(single_line(value))
    except (ValueError, re.error):  # which is no ValueError
        raise ValueError("a regular expression of Python's module re, in one line") from None


def route_buckets(value: object) -> Mapping[str, tuple[float, ...]]:
    """Parse ``/route=0.1,1;/other=1,10``, or a mapping from templates to bounds in seconds.

    The last ``=`` ends a template. One with ``;`` in it can only be given in a mapping.
    """
    if isinstance(value, str):
        parts = [part.rpartition("=") for part in filter(None, map(str.strip, value.split(";")))]
        pairs = [(route.strip(), text) for route, _, text in parts]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        raise ValueError(_BUCKETS)
    parsed = {_route(route): bounds(given) for route, given in pairs}
    if len(parsed) < len(pairs) or any(each[0] <= 0 for each in parsed.values()):
        raise ValueError(_BUCKETS)
    return MappingProxyType(parsed)


def _route(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(_BUCKETS)
    return value
