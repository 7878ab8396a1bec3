"""The jobs of the tests of RQ."""

from __future__ import annotations

import os
import signal


def add(number: int) -> int:
    """Succeed."""
    return number


def fail() -> None:
    """Fail."""
    raise ValueError


def die() -> None:
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)
