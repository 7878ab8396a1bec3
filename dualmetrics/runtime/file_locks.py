"""Locks on files that end with their owner, however it ends. None of them ever waits for long.

``flock`` on a descriptor of its own: the kernel releases it when the process dies, so who can take a
worker's lock knows that the worker is gone, without pids and without hooks in the server. A forked child
inherits the descriptor and would keep the lock alive; it therefore closes it first thing (see `fork`).
Taking such a lock twice in one process fails just as in two processes.
"""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from collections.abc import Callable, Iterator

try:
    import fcntl
except ImportError:  # Windows: no file locks, so no worker groups (see `directory.open_group`)
    available = False
else:
    available = True


def try_lock(descriptor: int) -> bool:
    """Take the lock if nobody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Give up the lock, of all copies of the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock(descriptor: int, timeout: float) -> bool:
    """Take the lock, trying for ``timeout`` seconds. flock itself knows no deadline."""
    deadline = time.monotonic() + timeout
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def is_locked_by_other(descriptor: int) -> bool:
    """Whether somebody else holds the lock. May be asked by many at once.

    The question takes a shared lock until the descriptor is closed. Nobody but its owner ever takes a
    worker's lock for itself, so those who ask cannot mislead each other.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def finalizing_close(owner: object, descriptor: int) -> Callable[[], None]:
    """A function that closes the descriptor; if nobody calls it, that is done when ``owner`` is forgotten.

    Not by the end of the interpreter, when the last push may still need it.
    """
    finalizer = weakref.finalize(owner, _close, descriptor)
    finalizer.atexit = False

    def close() -> None:
        if finalizer.detach():  # to call it does nothing once the interpreter ends
            _close(descriptor)

    return close


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # somebody closed all descriptors, as a daemon does
        os.close(descriptor)


@contextlib.contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close the descriptor at the end, and with it give up its lock."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)
