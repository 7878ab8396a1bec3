"""Timing with CPU time. Nothing that is timed here waits, and elapsed time would include other processes."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

MICROSECONDS = 1e6
MILLISECONDS = 1e3


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time of the work, in seconds, over all threads of the process."""
    started = process_time()
    work()
    return process_time() - started


def cpu_milliseconds(
    work: Callable[[], object], times: int, prepare: Callable[[], object] = lambda: None
) -> float:
    """The mean CPU time of the work, in milliseconds; ``prepare`` runs before each repetition, untimed."""
    total = 0.0
    for _ in range(times):
        prepare()
        total += cpu_seconds(work)
    return total / times * MILLISECONDS
