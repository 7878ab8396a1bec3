"""Logs how pushes go: a line for each change, not for each push."""

from __future__ import annotations

from typing import Protocol

from dualmetrics.runtime.errors import ErrorReporter, logger
from dualmetrics.workers.leader_election import PushHistory

_FAILED = (
    "dualmetrics: the push to %s failed (%s). Nothing is lost: the next push carries it too. Unless a later "
    "line says that it has recovered, check the endpoint and the Collector"
)
_WORKS_AGAIN = "dualmetrics: the push to %s works again after %d failures. Nothing need be done"
_REJECTED = (
    "dualmetrics: %s rejected %d points (%s). They are lost, all others have arrived. Look for the cause in "
    "the settings and the log of the Collector"
)
_LAST_FAILED = (
    "dualmetrics: the last push to %s failed (%s). The group ends, so the Collector never gets what was "
    "recorded since the last successful push. Check the endpoint and the Collector"
)
_LATE = (
    "dualmetrics: the process ends before its last push to %s has ended, after %g seconds. The Collector may "
    "never get what was recorded since the last successful push. If it needs more time, raise "
    "DUALMETRICS_SHUTDOWN_TIMEOUT"
)


class PushRecord(Protocol):
    """What remembers how the pushes of a group went, such as `LeaderElection`."""

    def push_history(self) -> PushHistory: ...

    def record_result(self, success: bool, time: float) -> None: ...


class OwnRecord:
    """Remembers how the pushes of this process went."""

    def __init__(self) -> None:
        self._history = PushHistory()

    def push_history(self) -> PushHistory:
        """The results of this process."""
        return self._history

    def record_result(self, success: bool, time: float) -> None:
        """Remember a result."""
        failures = 0 if success else self._history.failures + 1
        last_success = time if success else self._history.last_success
        self._history = PushHistory(time, last_success, failures)


class PushLog:
    """Logs the first failure, the recovery, and the first rejection of pushes to ``endpoint``."""

    def __init__(self, endpoint: str, errors: ErrorReporter) -> None:
        self._endpoint = endpoint
        self._errors = errors

    def failed(self, message: str, failures_before: int, is_last: bool) -> None:
        """Log a failure. ``failures_before``: how many pushes of the group have failed just before it."""
        if not failures_before:
            self._errors.reset("push")  # this may be a process that has seen an earlier failure
        text = _LAST_FAILED if is_last else _FAILED
        topic = "last push" if is_last else "push"
        self._errors.log_once(topic, text, self._endpoint, message or "no reason given")

    def succeeded(self, rejected: int, message: str, failures_before: int) -> None:
        """Log a recovery, and points that were not accepted."""
        if failures_before:
            logger.warning(_WORKS_AGAIN, self._endpoint, failures_before)
            self._errors.reset("push")
        if rejected:
            text = message or "no reason given"
            self._errors.log_once("rejected", _REJECTED, self._endpoint, rejected, text)

    def late(self, seconds: float) -> None:
        """Log that the process could not wait for its last push any longer."""
        self._errors.log_once("late", _LATE, self._endpoint, seconds)
