"""Blocking work off the event loop, whichever loop it is."""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
"""Own threads, so that slow scrapes never occupy those that the app's handlers run in."""


async def run_in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """``function(*args, **kwargs)`` in a thread. Raises what it raises. Under asyncio and trio."""
    work = functools.partial(function, *args, **kwargs)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _in_trio(work)
    return await loop.run_in_executor(_pool(os.getpid()), work)


async def _in_trio(work: Callable[[], R]) -> R:
    result: R = await _trio().to_thread.run_sync(work, limiter=_limiter())
    return result


def _trio() -> Any:
    return importlib.import_module("trio")  # it runs already, and is no dependency of ours


@functools.cache
def _limiter() -> Any:
    return _trio().CapacityLimiter(THREADS)


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """One a process: a forked child inherits the object, but none of its threads."""
    return ThreadPoolExecutor(THREADS, "dualmetrics-page")
