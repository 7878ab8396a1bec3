"""Names in lines of text: plain ones as they are, others between quotes (Prometheus' UTF-8 syntax)."""

from __future__ import annotations

from functools import lru_cache

from dualmetrics.exporters.prometheus.naming.escaping import plain


def escaped(text: str) -> str:
    """Text between quotes. What UTF-8 cannot carry (a lone surrogate) becomes ``?``."""
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(4096)
def metric(name: str) -> str:
    """A metric's name in a line of metadata."""
    return name if plain(name) else f'"{escaped(name)}"'


@lru_cache(4096)
def label(name: str) -> str:
    """A label's name; a colon is none of a label's plain characters."""
    return name if plain(name) and ":" not in name else f'"{escaped(name)}"'


def opened(name: str, labels: str) -> str:
    """A sample's line up to where one more label may stand; ``labels`` is the text of those before it."""
    start = f"{name}{{" if metric(name) == name else f"{{{metric(name)},"
    return f"{start}{labels}," if labels else start


def series(name: str, labels: str) -> str:
    """A sample's line up to its value, without the blank."""
    if not labels and metric(name) == name:
        return name
    return f"{opened(name, labels)[:-1]}}}"
