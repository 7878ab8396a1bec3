"""Timing with the processor's clock: nothing timed here waits, and the clock on the wall measures others."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

MICROSECONDS = 1e6
MILLISECONDS = 1e3


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds of the processor that the work took, in all threads of the process."""
    started = process_time()
    work()
    return process_time() - started


def mean_milliseconds(
    work: Callable[[], object], times: int, before: Callable[[], object] = lambda: None
) -> float:
    """Milliseconds that the work took on average; ``before`` each is not counted."""
    total = 0.0
    for _ in range(times):
        before()
        total += processor_seconds(work)
    return total / times * MILLISECONDS
