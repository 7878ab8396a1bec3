"""The one place that decides whether recording needs a lock.

With the interpreter's global lock it does not: threads are switched only where the evaluation loop looks
for it, on calls and jumps backward, and there is none between the bytecodes of ``row[i] += x`` on a
memoryview of doubles. A free-threaded interpreter has no such guarantee, so there every recording
function runs under one lock. ``tests/test_atomic.py`` proves it on the interpreter that runs.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.RLock()


def is_free_threaded() -> bool:
    """Whether this interpreter runs without a global lock (PEP 703)."""
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def locked(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` under the lock of all recording."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with _lock:
            return function(*args, **kwargs)

    return guarded


def locked_if_free_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that adds to cells: as it is where that is atomic, else under a lock."""
    return locked(function) if is_free_threaded() else function
