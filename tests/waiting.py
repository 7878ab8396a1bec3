"""Waiting for what other threads and processes do: by condition and deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from threading import Event

_never = Event()


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
            raise AssertionError(f"waited {timeout} s for {what}, in vain{seen}")
        _never.wait(pause)
        pause = min(pause * 2, 0.05)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
