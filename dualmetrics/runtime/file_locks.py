"""File locks that the kernel releases when their owner dies, however it dies.

They are ``flock`` locks, each on a descriptor of its own. Whoever can take the lock of a worker knows that
the worker is dead, without pids and without hooks in the server. A forked child inherits the descriptor and
would keep the lock alive, so it closes the descriptor right after the fork (see `runtime.forking`).
Taking such a lock twice in one process fails just as it does in two processes. Nothing here waits without a
limit.
"""

from __future__ import annotations

import contextlib
import os
import time
import weakref
from collections.abc import Callable, Iterator

try:
    import fcntl
except ImportError:  # Windows has no file locks, so no worker groups (see `open_group_directory`)
    available = False
else:
    available = True


def try_lock(descriptor: int) -> bool:
    """Take the lock if it is free. Returns whether it was taken."""
    return _try(descriptor, fcntl.LOCK_EX)


def share_lock(descriptor: int, timeout: float) -> bool:
    """Take the lock together with others, or share one that is held, trying for ``timeout`` seconds."""
    return _try_until(time.monotonic() + timeout, lambda: _try(descriptor, fcntl.LOCK_SH))


def unlock(descriptor: int) -> None:
    """Release the lock, also for all copies of the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock(descriptor: int, timeout: float) -> bool:
    """Take the lock, trying for ``timeout`` seconds, since flock itself has no timeout.

    Returns whether it was taken.
    """
    return _try_until(time.monotonic() + timeout, lambda: try_lock(descriptor))


def is_locked_by_other(descriptor: int) -> bool:
    """Whether another descriptor holds the lock. Many processes may ask at once.

    This takes a shared lock, which lasts until the descriptor is closed. Only its owner ever takes the
    exclusive lock of a worker's file, so processes that ask at the same time cannot mislead each other.
    """
    return not _try(descriptor, fcntl.LOCK_SH)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_until(deadline: float, take: Callable[[], bool]) -> bool:
    while not take():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def finalizing_close(owner: object, descriptor: int) -> Callable[[], None]:
    """Return a function that closes the descriptor.

    If nobody calls it, the descriptor is closed when ``owner`` is garbage collected. It is not closed at
    interpreter exit, because the last push may still need it.
    """
    finalizer = weakref.finalize(owner, _close, descriptor)
    finalizer.atexit = False

    def close() -> None:
        if finalizer.detach():  # the finalizer itself does nothing once the interpreter exits
            _close(descriptor)

    return close


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the app has closed all descriptors, as daemons do
        os.close(descriptor)


@contextlib.contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close the descriptor at the end of the block. This also releases its lock."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)
