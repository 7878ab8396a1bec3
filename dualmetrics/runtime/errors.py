"""Errors of our own: swallowed, counted, and said once.

Nothing from this library may break the app that uses it. What goes wrong inside is reported here; the
count is ``dualmetrics_internal_errors_total`` on both exports.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger("dualmetrics")


class ErrorReporter:
    """Counts failures and logs each kind of them once per process."""

    def __init__(self) -> None:
        self.on_error: Callable[[], None] = lambda: None
        self.error_count = 0
        self._said: set[str] = set()
        self._here = threading.local()
        self._lock = threading.RLock()

    def log_once(self, topic: str, message: str, *args: object, level: int = logging.WARNING) -> None:
        """Log ``message`` the first time that ``topic`` comes up; later times are silent."""
        with self._lock:
            if topic in self._said:
                return
            self._said.add(topic)
        logger.log(level, message, *args)

    def error(self, where: str, error: BaseException) -> None:
        """Count ``error``; log it with its traceback the first time that it happens at ``where``."""
        self.count()
        with self._lock:
            known = where in self._said
            self._said.add(where)
        if not known:
            logger.error(
                "dualmetrics: %s failed; the app is unaffected, further failures here are only counted",
                where,
                exc_info=error,
            )

    def count(self) -> None:
        """Count a failure that is said elsewhere."""
        with self._lock:
            self.error_count += 1
        if not getattr(self._here, "counting", False):  # counting may itself fail
            self._here.counting = True
            try:
                self.on_error()
            finally:
                self._here.counting = False

    def reset(self, topic: str) -> None:
        """Forget that ``topic`` was said: the condition has ended, and its return is news."""
        with self._lock:
            self._said.discard(topic)

    def after_fork_in_child(self) -> None:
        """The lock may have been held by a thread that the child does not have."""
        self._lock = threading.RLock()
