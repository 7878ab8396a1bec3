"""Workers that are forked, and end by being killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dualmetrics import Telemetry


@contextmanager
def worker(made: Telemetry, count: Callable[[], None]) -> Iterator[int]:
    """A forked process that counts, is read in the background, and never ends by itself."""
    pid = os.fork()
    if pid == 0:
        try:
            made.start()
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
