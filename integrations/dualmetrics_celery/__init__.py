"""Metrics for Celery: ``DualMetrics(app)``."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from dualmetrics.middleware import error_type, telemetry_for
from dualmetrics.task_queues import OTHER_QUEUE, Task, TaskMetrics

try:
    from celery import Celery, signals
    from celery.concurrency.prefork import TaskPool
    from celery.exceptions import TimeLimitExceeded, WorkerLostError
except ImportError as error:
    raise ImportError('dualmetrics_celery needs Celery: pip install "dualmetrics[celery]"') from error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics"]

_SENT = "dualmetrics_sent"
"""The header of a message with the time at which it was sent, in seconds since the epoch."""

_RECEIVERS = {
    signals.before_task_publish: "_before_publish",
    signals.task_received: "_received",
    signals.task_prerun: "_started",
    signals.task_failure: "_failed",
    signals.task_postrun: "_ended",
    signals.task_revoked: "_revoked",
    signals.worker_process_init: "_process_started",
    signals.worker_ready: "_worker_started",
}


class DualMetrics:
    """Records the tasks of a Celery app: those that it sends, and those that its workers run.

    ``telemetry`` is the `Telemetry` to record with. Without it, ``settings`` are passed to
    `dualmetrics.configure`. Raises SettingsError for a bad setting. A worker serves no requests, so its page
    needs PROMETHEUS_PORT.
    """

    def __init__(self, app: Celery, *, telemetry: Telemetry | None = None, **settings: Any) -> None:
        self._app = app
        self._telemetry = telemetry_for(telemetry, settings)
        self._metrics = TaskMetrics(self._telemetry, "celery")
        self._requests: WeakValueDictionary[str, Any] = WeakValueDictionary()
        for signal, method in _RECEIVERS.items():
            # The id makes a second installation on the same app replace nothing and count nothing twice.
            uid = f"dualmetrics {method} {id(app)} {id(self._telemetry)}"
            signal.connect(getattr(self, method), weak=False, dispatch_uid=uid)

    def _before_publish(self, headers: dict[str, Any], **others: Any) -> None:
        headers[_SENT] = time.time()

    def _received(self, request: Any, **others: Any) -> None:
        self._requests[request.id] = request

    def _started(self, task_id: str, task: Any, **others: Any) -> None:
        if task.app is self._app:
            request = task.request
            self._metrics.begin(task_id, self._task(task, request.delivery_info), _waited(request))

    def _failed(self, sender: Any, task_id: str, exception: BaseException, **others: Any) -> None:
        """Note the error of a task that runs here, or count one whose process was killed.

        The parent of the process reports that, and reports a time limit twice.
        """
        if self._metrics.is_running(task_id):
            self._metrics.fail(task_id, error_type(exception))
        elif isinstance(exception, (WorkerLostError, TimeLimitExceeded)):
            request = self._requests.pop(task_id, None)
            if request is not None:
                self._lost(sender, request, "FAILURE", error_type(exception))

    def _ended(self, task_id: str, state: str | None = None, **others: Any) -> None:
        if state is None:  # the process was told to exit; its parent reports that
            self._metrics.cancel(task_id)
        else:
            self._metrics.end(task_id, state)

    def _revoked(self, sender: Any, request: Any, **others: Any) -> None:
        """Count a task that was revoked, before it was received or while it runs in another process."""
        self._lost(sender, self._requests.pop(request.id, request), "REVOKED", "REVOKED")

    def _lost(self, task: Any, request: Any, state: str, error: str) -> None:
        if task.app is self._app:
            started = getattr(request, "time_start", None)
            seconds = time.time() - started if started else None
            self._metrics.ended(self._task(task, request.delivery_info), state, error, seconds)

    def _process_started(self, **others: Any) -> None:
        self._telemetry.start()

    def _worker_started(self, sender: Any, **others: Any) -> None:
        if not isinstance(sender.pool, TaskPool):  # no process of its own runs the tasks
            self._telemetry.start()

    def _task(self, task: Any, delivery_info: dict[str, Any] | None) -> Task:
        key = (delivery_info or {}).get("routing_key")
        queues = self._app.amqp.queues
        named = key if key in queues else None
        found = named or next(
            (name for name, queue in queues.items() if queue.routing_key == key), OTHER_QUEUE
        )
        return Task(task.name, found)


def _waited(request: Any) -> float | None:
    """The seconds since the task was sent, or could have been run at the earliest; None if unknown."""
    sent = request.get(_SENT)
    if not isinstance(sent, (int, float)):
        return None
    eta = datetime.fromisoformat(request.eta).timestamp() if request.eta else 0.0
    return time.time() - max(sent, eta)
