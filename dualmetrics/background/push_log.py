"""Logs how pushes go: a line for each change, not for each push."""

from __future__ import annotations

from dualmetrics.runtime.errors import ErrorReporter, logger


class PushLog:
    """Logs the first failure, the recovery, and the first rejection of pushes to ``endpoint``."""

    def __init__(self, endpoint: str, errors: ErrorReporter) -> None:
        self._endpoint = endpoint
        self._errors = errors
        self._failures = 0

    def update(self, success: bool, rejected: int, message: str) -> None:
        """Log what has changed with a push. ``rejected`` is the number of points that were not accepted."""
        message = message or "no reason given"
        if not success:
            self._failures += 1
            text = "dualmetrics: the push to %s failed (%s). Nothing is lost: the next push carries it too"
            self._errors.log_once("push", text, self._endpoint, message)
            return
        if self._failures:
            text = "dualmetrics: the push to %s works again after %d failures"
            logger.info(text, self._endpoint, self._failures)
            self._failures = 0
            self._errors.reset("push")
        if rejected:
            text = "dualmetrics: %s rejected %d points (%s)"
            self._errors.log_once("rejected", text, self._endpoint, rejected, message)
