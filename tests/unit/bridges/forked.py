"""Forks workers that are killed at the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dualmetrics import Telemetry


@contextmanager
def forked_worker(recording: Telemetry, count: Callable[[], None]) -> Iterator[int]:
    """Fork a process that starts reading, calls ``count`` and waits. It is killed at the end of the block."""
    pid = os.fork()
    if pid == 0:
        try:
            recording.start()
            count()
            while True:
                signal.pause()
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
