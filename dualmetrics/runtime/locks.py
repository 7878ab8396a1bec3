"""A lock that no signal handler can leave held."""

from __future__ import annotations

import threading
from collections.abc import Callable

_RLock: type = type(threading.RLock())


class ReentrantLock(_RLock):  # type: ignore[misc]  # its type has no public name
    """A `threading.RLock` for ``with``, which a signal handler may interrupt by raising at any moment.

    Since Python 3.14 a handler may run after ``with`` has taken a lock and before it has entered its block.
    What the handler raises would leave the lock held for ever: KeyboardInterrupt, or the time limit of a task
    queue. Here the handler runs while `__enter__` runs, which then releases the lock. `__exit__` is that of
    `threading.RLock`, written in C: it releases the lock before any handler runs.
    """

    def __enter__(self) -> bool:
        """Take the lock."""
        try:
            return self.acquire()  # type: ignore[no-any-return]  # see above
        except BaseException:
            self._release_if_owned()
            raise

    def call_within(self, seconds: float, function: Callable[[], object]) -> None:
        """Call a function while the lock is held, unless it cannot be taken in so many seconds."""
        try:
            if self.acquire(timeout=seconds):
                function()
        finally:
            try:  # noqa: SIM105 - a handler may run while `contextlib.suppress` is called
                self.release()
            except RuntimeError:  # it was not taken
                pass

    def _release_if_owned(self) -> None:
        try:
            self.release()
        except RuntimeError:  # this thread was still waiting for the lock
            return
