"""Decides whether recording needs locks, and provides them.

With the global interpreter lock it needs none. The interpreter switches threads only at calls and at backward
jumps, and there is neither between the bytecodes of ``row[i] += x`` on a memoryview of doubles.
A free-threaded interpreter gives no such guarantee. There the threads are divided into shards. Each shard has
rows of its own, which are written under the lock of the shard and added up when they are read.

The lock of a shard is the innermost of all locks: while it is held, no other lock is taken and nothing is
called but arithmetic. ``docs/architecture.md`` has the order of all locks.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar, cast

from dualmetrics.runtime import forking
from dualmetrics.runtime.locks import ReentrantLock

_P = ParamSpec("_P")
_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., object])

_MAX_SHARDS = 8
"""More shards cost memory, since a series has a row for each shard that has recorded it."""


class Shard:
    """Some of the threads that record. Their rows are written under ``lock`` only."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.after_fork_in_child()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """The lock may have been held by a thread that the child does not have."""
        self.lock = ReentrantLock()


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.shard = SHARDS[next(_thread_numbers) % len(SHARDS)]


def is_free_threaded() -> bool:
    """Whether this interpreter runs without a global lock (PEP 703).

    CPython has no public function for this. ``sys._is_gil_enabled`` is the one that its documentation names
    (3.13 and later). ``sysconfig.get_config_var("Py_GIL_DISABLED")`` only says how Python was built:
    such a build may still run with the lock.
    """
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


NEEDS_LOCKS = is_free_threaded()
"""Whether recording takes locks. This is decided once: a module that is imported later may bring the lock of
the interpreter back, but rows that were given to several shards have to stay theirs."""

SHARDS = tuple(Shard(number) for number in range(_MAX_SHARDS if NEEDS_LOCKS else 1))

FIRST_SHARD = SHARDS[0]
"""The shard of rows that are not divided: gauges, observed values, and the totals of other libraries."""

_thread_numbers = itertools.count()
_this_thread = _ThisThread()


def own_shard() -> Shard:
    """The shard of the calling thread."""
    return _this_thread.shard


def replaced_if_free_threaded(other: Callable[..., object]) -> Callable[[_F], _F]:
    """Replace the decorated function, which takes no lock, by ``other`` if recording needs locks."""

    def choose(function: _F) -> _F:
        return cast("_F", other) if NEEDS_LOCKS else function

    return choose


def locked_if_free_threaded(shard: Shard) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Run the decorated function under the lock of a shard if recording needs locks."""
    return functools.partial(_locked, shard) if NEEDS_LOCKS else lambda function: function


def _locked(shard: Shard, function: Callable[_P, _R]) -> Callable[_P, _R]:
    @functools.wraps(function)
    def with_lock(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with shard.lock:
            return function(*args, **kwargs)

    return with_lock


def while_nobody_records(function: Callable[[], _R]) -> _R:
    """Call ``function`` under the locks of all shards if recording needs locks."""
    return _under_locks(SHARDS if NEEDS_LOCKS else (), function)


def _under_locks(shards: Sequence[Shard], function: Callable[[], _R]) -> _R:
    if not shards:
        return function()
    # A context manager written in Python would leave the lock held if a signal handler raised in it.
    with shards[0].lock:
        return _under_locks(shards[1:], function)
