"""The methods by which a worker is made to stop working."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import time
from collections.abc import Callable

from tests.servers.server import Server

_STOPPED_SECONDS = 0.2


def kill(server: Server, pid: int) -> None:
    """End the worker at once, whatever it is doing."""
    os.kill(pid, signal.SIGKILL)


def terminate(server: Server, pid: int) -> None:
    """Ask the worker to end; it finishes what it is doing."""
    os.kill(pid, signal.SIGTERM)


def stop(server: Server, pid: int) -> None:
    """Stop the worker for a while, with the locks that it holds, then let it go on."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(_STOPPED_SECONDS)
    os.kill(pid, signal.SIGCONT)


def crash(server: Server, pid: int) -> None:
    """Let the worker that answers, which may be another one, call `os._exit`."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.get("/exit")


KILL_METHODS: dict[str, Callable[[Server, int], None]] = {
    "SIGKILL": kill,
    "SIGTERM": terminate,
    "SIGSTOP": stop,
    "os._exit": crash,
}
_WEIGHTS = [5, 2, 1, 2]


def random_kill_method(chance: random.Random) -> str:
    """Choose one of `KILL_METHODS`."""
    return chance.choices(list(KILL_METHODS), _WEIGHTS)[0]
