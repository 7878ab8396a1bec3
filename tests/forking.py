"""Forked children for tests."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def run_in_child(work: Callable[[], None]) -> None:
    """Run ``work`` in a forked child that dies without any clean-up; fails if ``work`` raised."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
