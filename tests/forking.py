"""Forked children for tests. A child ends without any clean-up, as a worker that is killed does."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child, which exits with 1 if it raises. Returns the child's pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def run_in_child(work: Callable[[], None]) -> None:
    """Run ``work`` in a forked child and wait for it; fail if it raised."""
    assert os.waitpid(fork(work), 0)[1] == 0
