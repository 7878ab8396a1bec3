"""Durations as text, in the one format of all commands and reports: ``250ms``, ``45s``, ``1h 30m``."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units, or in one below a minute. Infinity is "forever"."""
    if not isfinite(seconds):
        return "forever"
    if seconds < 59.5:
        return _short(seconds)
    rest, parts = _rounded(seconds), []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:.0f}{unit}")
    return " ".join(parts)


def _short(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g}ms" if seconds > 0 else "0s"
    return f"{seconds:.3g}s"


def _rounded(seconds: float) -> float:
    """Round to the unit below the largest one, so that at most two units remain."""
    for (size, _), (below, _) in pairwise(_UNITS):
        if seconds >= size - below / 2:
            return round(seconds / below) * below
    return round(seconds)
