"""Waiting for other threads and processes: until a condition holds, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object],
    timeout: float,
    what: str,
    *,
    details: Callable[[], object] | None = None,
) -> None:
    """Return once ``condition`` holds; fail with ``what`` and ``details`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not condition():
        if time.monotonic() > deadline:
            seen = f"\n{details()}" if details else ""
            raise AssertionError(f"waited {timeout} s in vain for {what}{seen}")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
