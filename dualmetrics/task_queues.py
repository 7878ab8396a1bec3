"""Metrics for task queues, such as Celery and RQ: what a finished task means as metrics.

An integration calls `TaskMetrics.begin` and `TaskMetrics.end` in the process that runs a task. It calls
`TaskMetrics.ended` where it hears of a task that did not run, or whose process was killed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram

    from dualmetrics.telemetry import Telemetry

__all__ = ["OTHER_QUEUE", "Task", "TaskMetrics"]

OTHER_QUEUE = "_OTHER"
"""Stands for a queue that the worker does not know, since a client may have invented its name."""

_SEMCONV_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Those that OpenTelemetry's semantic conventions for messaging ask for."""

_BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)
"""Tasks take longer than requests, and so do their queues."""


class Task(NamedTuple):
    """What a task is called, and its queue. Both have to come from the app, and not from a client."""

    name: str
    queue: str


class _RunningTask:
    """A task that runs in this process."""

    __slots__ = ("error", "started", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.error: str | None = None
        self.started = perf_counter()


class TaskMetrics:
    """Records the tasks of one task queue. Its methods never raise.

    ``system`` is the name of the task queue (``celery``), and ``noun`` what it calls a task. Always recorded
    are the counter ``SYSTEM.NOUNs``, ``SYSTEM.NOUNs.active`` and the histogram ``SYSTEM.NOUN.wait``. The
    convention decides between ``SYSTEM.NOUN.duration`` and OpenTelemetry's ``messaging.process.duration``
    with ``messaging.client.consumed.messages``. All times are in seconds.
    """

    def __init__(self, telemetry: Telemetry, system: str, noun: str = "task") -> None:
        self._errors = telemetry.errors
        self._system, self._noun = system, noun
        self._running: dict[str, _RunningTask] = {}
        # Our own scope, so that the page has no labels for it.
        self._meter = meter = telemetry.meter("dualmetrics")
        unit, prefix = f"{{{noun}}}", f"{system}.{noun}"
        self._tasks = meter.create_counter(f"{prefix}s", unit, f"Finished {noun}s.")
        self._active = meter.create_up_down_counter(f"{prefix}s.active", unit, f"Running {noun}s.")
        self._wait = self._histogram(f"{prefix}.wait", f"Time that {noun}s waited in their queue.")
        convention = telemetry.settings.convention
        self._classic, self._semconv = convention != "semconv", convention != "classic"
        if self._classic:
            self._duration = self._histogram(f"{prefix}.duration", f"Duration of {noun}s.")
        if self._semconv:
            self._create_semconv()

    def _create_semconv(self) -> None:
        self._process = self._histogram(
            "messaging.process.duration", "Duration of processing operation.", _SEMCONV_BOUNDS
        )
        self._consumed = self._meter.create_counter(
            "messaging.client.consumed.messages",
            "{message}",
            "Number of messages that were delivered to the application.",
        )

    def _histogram(self, name: str, description: str, bounds: tuple[float, ...] = _BOUNDS) -> Histogram:
        return self._meter.create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=bounds
        )

    def begin(self, id: str, task: Task, waited: float | None = None) -> None:  # noqa: A002  # as in Celery
        """A task starts in this process, after it has waited so many seconds, None if that is not known."""
        with self._guarded():
            self._running[id] = _RunningTask(task)
            attributes = self._attributes(task)
            self._active.add(1, attributes)
            if waited is not None:
                self._wait.record(max(waited, 0.0), attributes)
            if self._semconv:
                self._consumed.add(1, self._messaging(task))

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        """A task that runs in this process has raised ``error``. `end` follows."""
        running = self._running.get(id)
        if running is not None:
            running.error = error

    def end(self, id: str, state: str) -> None:  # noqa: A002
        """A task that runs in this process has ended."""
        running = self.cancel(id)
        if running is not None:
            self.ended(running.task, state, running.error, perf_counter() - running.started)

    def cancel(self, id: str) -> _RunningTask | None:  # noqa: A002
        """Count a task as no longer active, and nothing more. Returns it if it ran in this process."""
        running = self._running.pop(id, None)
        if running is not None:
            with self._guarded():
                self._active.add(-1, self._attributes(running.task))
        return running

    def is_running(self, id: str) -> bool:  # noqa: A002
        """Whether a task runs in this process."""
        return id in self._running

    def ended(self, task: Task, state: str, error: str | None = None, seconds: float | None = None) -> None:
        """Record a task that ended after so many seconds, or that did not run.

        For a task whose process was killed. The process' share of the active tasks ends by itself.
        """
        with self._guarded():
            attributes = {**self._attributes(task), f"{self._system}.state": state}
            self._tasks.add(1, attributes)
            if seconds is None:
                return
            if self._classic:
                self._duration.record(seconds, attributes)
            if self._semconv:
                failed = {} if error is None else {"error.type": error}
                self._process.record(seconds, {**self._messaging(task), **failed})

    def _attributes(self, task: Task) -> dict[str, str]:
        return {f"{self._system}.{self._noun}_name": task.name, f"{self._system}.queue": task.queue}

    def _messaging(self, task: Task) -> dict[str, str]:
        return {
            "messaging.system": self._system,
            "messaging.operation.name": "process",
            "messaging.destination.name": task.queue,
            f"{self._system}.{self._noun}_name": task.name,
        }

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._errors.error(f"recording a {self._noun} of {self._system}", error)
