"""What joins the process' default recording, made before it or after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_sources: list[Any] = []
_takers: list[Callable[[Any], None]] = []


def register_source(source: Any) -> None:
    """Give ``source`` to the default recording, now or as soon as there is one."""
    _sources.append(source)
    for take in _takers:
        take(source)


def subscribe(taker: Callable[[Any], None]) -> list[Any]:
    """Be given all sources, of now and of later; those of now are returned too."""
    _takers.append(taker)
    for source in _sources:
        taker(source)
    return list(_sources)
