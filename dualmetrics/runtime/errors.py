"""Internal errors: they are swallowed, counted, and logged once.

Nothing in this library may break the app that uses it. What goes wrong inside is reported here. The count is
exported as ``dualmetrics_internal_errors_total``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from dualmetrics.runtime import forking
from dualmetrics.runtime.locks import ReentrantLock

logger = logging.getLogger("dualmetrics")

_FAILED = (
    "dualmetrics: %s failed; the app is unaffected, and further failures here are only counted. If the "
    "traceback does not show a cause that you can remove, please report it as an issue of dualmetrics"
)

_warned: set[str] = set()


def warn_once(message: str, *args: object) -> None:
    """Log a warning, unless this process has logged the same before.

    This is for what does not concern a single `Telemetry`, which has an `ErrorReporter`.
    """
    text = message % args
    if text not in _warned:
        _warned.add(text)
        logger.warning(message, *args)


class ErrorReporter:
    """Counts failures and logs each kind of failure once per process."""

    def __init__(self) -> None:
        self.on_error: Callable[[], None] = lambda: None
        self.error_count = 0
        self._logged: set[str] = set()
        self._thread = threading.local()
        self._lock = ReentrantLock()
        forking.register(self)

    def log_once(self, topic: str, message: str, *args: object, level: int = logging.WARNING) -> None:
        """Log ``message`` unless a message about ``topic`` was logged before."""
        with self._lock:
            if topic in self._logged:
                return
            self._logged.add(topic)
        logger.log(level, message, *args)

    def error(self, where: str, error: BaseException) -> None:
        """Count ``error``. Log it with its traceback if it is the first one at ``where``."""
        self.count()
        with self._lock:
            is_first = where not in self._logged
            self._logged.add(where)
        if is_first:
            logger.error(_FAILED, where, exc_info=error)

    def count(self) -> None:
        """Count a failure that is logged elsewhere."""
        with self._lock:
            self.error_count += 1
        if not getattr(self._thread, "counting", False):  # counting may fail, too
            self._thread.counting = True
            try:
                self.on_error()
            finally:
                self._thread.counting = False

    def reset(self, topic: str) -> None:
        """Log ``topic`` again the next time. Call this when the condition has ended."""
        with self._lock:
            self._logged.discard(topic)

    def after_fork_in_child(self) -> None:
        """The lock may have been held by a thread that the child does not have."""
        self._lock = ReentrantLock()
