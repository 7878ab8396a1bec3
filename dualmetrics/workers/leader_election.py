"""Which worker of the group pushes: the one that holds a lock, for as long as it lives."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

from dualmetrics.runtime import file_locks
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.membership import Membership

LOCK_NAME = "push"


class LeaderElection:
    """This process' candidacy. A process that counts alone is always elected."""

    def __init__(self, membership: Callable[[], Membership | None], errors: ErrorReporter) -> None:
        self._membership = membership
        self._errors = errors
        self._begin()

    def _begin(self) -> None:
        self._held: int | None = None
        self._lock = threading.RLock()

    @property
    def is_leader(self) -> bool:
        """Whether this process is the elected one, as far as it tried."""
        return self._held is not None or self._membership() is None

    def try_acquire(self, timeout: float = 0) -> bool:
        """Become the elected one if nobody else is, trying for ``timeout`` seconds."""
        with self._lock:
            membership = self._membership()
            if membership is None or self._held is not None:
                return True
            try:
                self._held = _locked(membership.directory, timeout)
            except OSError as error:
                self._errors.error("standing for election", error)
            return self._held is not None

    def release(self) -> None:
        """Let somebody else be elected."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                file_locks.unlock(held)  # of copies too, which children may have
                os.close(held)

    def after_fork_in_child(self) -> None:
        """Close the inherited copy: it would keep the parent elected after the parent's death."""
        inherited = self._held
        self._begin()
        if inherited is not None:
            with contextlib.suppress(OSError):
                os.close(inherited)


def _locked(directory: Directory, timeout: float) -> int | None:
    descriptor = directory.open(LOCK_NAME)
    if file_locks.lock(descriptor, timeout):
        return descriptor
    os.close(descriptor)
    return None
