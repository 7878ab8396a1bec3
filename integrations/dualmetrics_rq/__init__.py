"""Metrics for RQ: ``rq worker --worker-class dualmetrics_rq.Worker``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dualmetrics.middleware import error_type, telemetry_for
from dualmetrics.task_queues import Task, TaskMetrics

try:
    import rq
    from rq.job import Job
except ImportError as error:
    raise ImportError('dualmetrics_rq needs RQ: pip install "dualmetrics[rq]"') from error

if TYPE_CHECKING:
    from dualmetrics import Telemetry

    _Base = rq.worker.BaseWorker
else:
    _Base = object

__all__ = ["MetricsMixin", "SimpleWorker", "Worker"]

_RETRIED = ("queued", "scheduled")
"""The states of a job that has failed, and will run again."""


class MetricsMixin(_Base):
    """Records the jobs of a class of RQ's workers: ``class MyWorker(MetricsMixin, rq.Worker)``.

    The settings come from the environment, or from `dualmetrics.configure` if it was called before. A worker
    serves no requests, so its page needs PROMETHEUS_PORT.
    """

    telemetry: Telemetry | None = None
    """The `Telemetry` to record with, the default one if it is None. To be set in a subclass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._telemetry = telemetry_for(self.telemetry, {})
        self._metrics = TaskMetrics(self._telemetry, "rq", "job")

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Work, and show that this worker is there."""
        self._telemetry.start()
        return super().work(*args, **kwargs)

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        """Run a job, in the work horse if there is one."""
        self._metrics.begin(job.id, _task(job), _seconds(job.enqueued_at, datetime.now(timezone.utc)))
        try:
            return super().perform_job(job, *args, **kwargs)
        finally:
            self._metrics.end(job.id, _state(job))

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Note what a job has raised."""
        self._metrics.fail(job.id, error_type(exc_info[1]))
        super().handle_exception(job, *exc_info)

    def handle_job_failure(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Count a job that does not run here: its work horse was killed, or stopped."""
        super().handle_job_failure(job, *args, **kwargs)
        if not self._metrics.is_running(job.id):
            state = _state(job)
            error = "stopped" if state == "stopped" else "killed"
            self._metrics.ended(_task(job), state, error, _seconds(job.started_at, job.ended_at))


class Worker(MetricsMixin, rq.Worker):
    """RQ's worker, which forks a work horse for each job."""


class SimpleWorker(MetricsMixin, rq.SimpleWorker):
    """RQ's worker that runs jobs in its own process."""


def _task(job: Job) -> Task:
    try:
        return Task(job.func_name or "unknown", job.origin)
    except Exception:  # a job that cannot be deserialized, which RQ itself reports
        return Task("unknown", job.origin)


def _state(job: Job) -> str:
    status = job.get_status(refresh=False)
    state = str(getattr(status, "value", status))
    return "retried" if state in _RETRIED else state


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """The seconds between two times of RQ, which are in UTC, also those without a time zone."""
    if start is None or end is None:
        return None
    return (_utc(end) - _utc(start)).total_seconds()


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
