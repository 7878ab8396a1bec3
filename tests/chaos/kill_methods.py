"""Ways in which a worker stops working."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
from collections.abc import Callable
from threading import Event

from tests.servers.server import Server

_STOPPED = 0.2
"""Seconds that a stopped worker stays stopped."""

_never = Event()


def kill(server: Server, pid: int) -> None:
    """It is gone at once, whatever it was doing."""
    os.kill(pid, signal.SIGKILL)


def terminate(server: Server, pid: int) -> None:
    """It is asked to end, and finishes what it does."""
    os.kill(pid, signal.SIGTERM)


def stop(server: Server, pid: int) -> None:
    """It stands still for a while, with whatever locks it holds, and goes on."""
    os.kill(pid, signal.SIGSTOP)
    _never.wait(_STOPPED)
    os.kill(pid, signal.SIGCONT)


def leave(server: Server, pid: int) -> None:
    """A worker, whichever answers, calls `os._exit`."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.get("/exit")


WAYS: dict[str, Callable[[Server, int], None]] = {
    "SIGKILL": kill,
    "SIGTERM": terminate,
    "SIGSTOP": stop,
    "os._exit": leave,
}
WEIGHTS = [5, 2, 1, 2]


def any_way(chance: random.Random) -> str:
    """One of `WAYS`."""
    return chance.choices(list(WAYS), WEIGHTS)[0]
