"""Elects the leader of the group, the worker that pushes. It holds a lock until it resigns or dies.

The file of the lock has the history of the group's pushes, so that the next leader continues the schedule and
knows how the pushes went.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Callable
from typing import NamedTuple

from dualmetrics.runtime import file_locks, forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.workers.deletion import DeletionWatch
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import LEADER_LOCK
from dualmetrics.workers.membership import Membership

_HISTORY = struct.Struct("<ddd")
_TIME = struct.Struct("<d")


class PushHistory(NamedTuple):
    """How the pushes of a group went. Times are in seconds since the epoch.

    ``last_push`` is None before the first push, and ``last_success`` 0 before the first one that succeeded.
    ``failures`` have come since then.
    """

    last_push: float | None = None
    last_success: float = 0.0
    failures: int = 0


class LeaderElection:
    """Lets this process become the leader. A process that is in no group is always the leader."""

    def __init__(self, membership: Callable[[], Membership | None], errors: ErrorReporter) -> None:
        self._membership = membership
        self._errors = errors
        self._begin()
        forking.register(self)

    def _begin(self) -> None:
        self._held: int | None = None
        self._watch: DeletionWatch | None = None
        self._own_history = PushHistory()
        self._lock = ReentrantLock()

    @property
    def is_leader(self) -> bool:
        """Whether this process is the leader. Does not try to become it."""
        return self._held is not None or self._membership() is None

    def try_acquire(self, timeout: float = 0) -> bool:
        """Become the leader unless another process is, trying for ``timeout`` seconds.

        Returns whether this process is the leader.
        """
        with self._lock:
            membership = self._membership()
            if self._watch is not None and self._watch.is_deleted:
                self.release()  # another worker can take the lock of the file that replaces a deleted one
            if membership is None or self._held is not None:
                return True
            try:
                self._held = _open_locked(membership.directory, timeout)
                self._watch = DeletionWatch(self._held) if self._held is not None else None
            except OSError as error:
                self._errors.error("taking the lock of the leader", error)
            return self._held is not None

    def last_push(self) -> float | None:
        """When the group last pushed (seconds since the epoch); None before its first push."""
        return self.push_history().last_push

    def push_history(self) -> PushHistory:
        """How the pushes of the group went. A process that is in no group knows only its own pushes."""
        with self._lock:
            own, membership = self._own_history, self._membership()
            if membership is None:
                return own
            try:
                found = _decode_history(self._read(membership.directory))
            except FileNotFoundError:
                found = PushHistory()
            except OSError as error:
                self._errors.error("reading the history of the pushes", error)
                return own
            # Somebody may have deleted the file.
            return found._replace(last_success=max(found.last_success, own.last_success))

    def _read(self, directory: Directory) -> bytes:
        if self._held is not None:
            return os.pread(self._held, _HISTORY.size, 0)
        return directory.read(LEADER_LOCK)

    def record_push(self, time: float) -> None:
        """Keep the time of a push for the next leader."""
        with self._lock:
            self._record(self.push_history()._replace(last_push=time))

    def record_result(self, success: bool, time: float) -> None:
        """Keep how a push went for the next leader."""
        with self._lock:
            history = self.push_history()
            if success:
                self._record(history._replace(last_success=time, failures=0))
            else:
                self._record(history._replace(failures=history.failures + 1))

    def _record(self, history: PushHistory) -> None:
        self._own_history = history
        if self._held is not None:
            last_push, last_success, failures = history
            try:
                data = _HISTORY.pack(last_push or 0.0, last_success, failures)
                os.pwrite(self._held, data, 0)
            except OSError as error:
                self._errors.error("writing the history of the pushes", error)

    def release(self) -> None:
        """Let another worker become the leader."""
        with self._lock:
            held, self._held, self._watch = self._held, None, None
            if held is not None:
                file_locks.unlock(held)  # also for copies of the descriptor in forked children
                os.close(held)

    def after_fork_in_child(self) -> None:
        """Close the inherited descriptor, which would keep the lock after the parent's death."""
        inherited = self._held
        self._begin()
        if inherited is not None:
            with contextlib.suppress(OSError):
                os.close(inherited)


def _open_locked(directory: Directory, timeout: float) -> int | None:
    """Return the open descriptor of the lock file, or None if another process holds its lock."""
    descriptor = directory.open(LEADER_LOCK)
    if file_locks.lock(descriptor, timeout):
        return descriptor
    os.close(descriptor)
    return None


def _decode_history(data: bytes) -> PushHistory:
    """What the file says. One of an older version has the time of the last push alone."""
    if len(data) < _HISTORY.size:
        return PushHistory(_TIME.unpack(data)[0] if len(data) == _TIME.size else None)
    last_push, last_success, failures = _HISTORY.unpack_from(data)
    if not (math.isfinite(last_success) and math.isfinite(failures)):  # it is damaged
        return PushHistory(last_push)
    return PushHistory(last_push, last_success, int(failures))
