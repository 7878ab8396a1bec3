"""Watches the order in which threads take the locks of a `Telemetry` (see docs/architecture.md)."""

from __future__ import annotations

import threading
from typing import Any

from dualmetrics import Telemetry
from dualmetrics.runtime.free_threading import SHARDS

ORDER = ("totals", "store", "limiter", "errors", "shard")
"""The locks from the outermost to the innermost."""


class _Held(threading.local):
    def __init__(self) -> None:
        self.names: list[str] = []


class WatchedLock:
    """A lock that notes each time it is taken inside of a lock that comes after it."""

    held = _Held()

    def __init__(self, lock: Any, name: str, violations: list[str], taken: set[str]) -> None:
        self._lock = lock
        self._name = name
        self._violations = violations
        self._taken = taken

    def __enter__(self) -> None:
        self._lock.acquire()
        rank = ORDER.index(self._name)
        self._taken.add(self._name)
        if self._name not in self.held.names:  # else it is taken again by the thread that has it
            self._violations += [
                f"{outer} > {self._name}" for outer in self.held.names if ORDER.index(outer) > rank
            ]
        self.held.names.append(self._name)

    def __exit__(self, *details: object) -> None:
        self.held.names.pop()
        self._lock.release()


def watch(telemetry: Telemetry) -> tuple[list[str], set[str]]:
    """Watch the locks from now on. Returns what was out of order, and which locks were taken."""
    violations: list[str] = []
    taken: set[str] = set()
    store = telemetry._components.store
    own: Any = store._own
    places: list[tuple[Any, str, str]] = [
        (store, "_totals_lock", "totals"),
        (store, "_lock", "store"),
        (own._limiter, "_lock", "limiter"),
        (telemetry._components.errors, "_lock", "errors"),
        *((shard, "lock", "shard") for shard in SHARDS),
    ]
    for owner, attribute, name in places:
        setattr(owner, attribute, WatchedLock(getattr(owner, attribute), name, violations, taken))
    return violations, taken
