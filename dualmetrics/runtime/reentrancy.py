"""A guard for code that its own thread may interrupt."""

from __future__ import annotations

import threading


class ReentrancyGuard:
    """Holds a lock, and tells whether this thread was inside already.

    A signal handler or a finalizer runs in the thread that it interrupts, so a re-entrant lock does not keep
    it out. It has to stay away from data that the interrupted code is just changing::

        with guard as outermost:
            if not outermost:
                ...  # this thread is in the middle of such a block
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._depth = 0

    def __enter__(self) -> bool:
        self._lock.acquire()
        self._depth += 1
        return self._depth == 1

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1
        self._lock.release()
