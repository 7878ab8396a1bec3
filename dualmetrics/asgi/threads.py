"""Runs blocking work outside of the event loop, under asyncio and trio."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from dualmetrics.asgi.event_loops import trio

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MAX_THREADS = 4  # of our own, so that slow scrapes never occupy the threads that handlers of the app run in


def start_in_thread(function: Callable[[], object]) -> None:
    """Run a function in a thread, once one is free. Raises RuntimeError if the interpreter exits."""
    _executor(os.getpid()).submit(function)


async def run_in_thread(function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Run ``function(*args, **kwargs)`` in a thread and return its result. Raises what it raises."""
    work = functools.partial(function, *args, **kwargs)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _run_in_trio_thread(work)
    return await loop.run_in_executor(_executor(os.getpid()), work)


async def _run_in_trio_thread(work: Callable[[], _R]) -> _R:
    result: _R = await trio().to_thread.run_sync(work, limiter=_trio_limiter())
    return result


@functools.cache
def _trio_limiter() -> Any:
    return trio().CapacityLimiter(_MAX_THREADS)


@functools.cache
def _executor(pid: int) -> ThreadPoolExecutor:
    """Return the executor of a process. A forked child inherits the object, but none of its threads."""
    return ThreadPoolExecutor(_MAX_THREADS, "dualmetrics-page")
