"""Decides whether recording needs a lock.

With the global interpreter lock it does not. The interpreter switches threads only at calls and at backward
jumps, and there is neither between the bytecodes of ``row[i] += x`` on a memoryview of doubles.
A free-threaded interpreter gives no such guarantee, so there every recording function runs under one lock.
``tests/unit/runtime/test_free_threading.py`` checks this on the interpreter that runs it.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_lock = threading.RLock()


def is_free_threaded() -> bool:
    """Whether this interpreter runs without a global lock (PEP 703).

    CPython has no public function for this. ``sys._is_gil_enabled`` is the one that its documentation names
    (3.13 and later). ``sysconfig.get_config_var("Py_GIL_DISABLED")`` only says how Python was built:
    such a build may still run with the lock.
    """
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def locked_if_free_threaded(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a function that adds to cells. It runs under a lock if the interpreter is free-threaded."""
    return _locked(function) if is_free_threaded() else function


def _locked(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """``function`` under the one lock that all recording shares."""

    @functools.wraps(function)
    def with_lock(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _lock:
            return function(*args, **kwargs)

    return with_lock
