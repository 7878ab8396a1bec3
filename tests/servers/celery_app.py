"""A Celery app of the tests, with the one line that is documented."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from celery import Celery

from dualmetrics_celery import DualMetrics

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.broker_connection_retry_on_startup = True
DualMetrics(app)


@app.task
def add(number: int) -> int:
    """Succeed."""
    return number


@app.task
def fail() -> None:
    """Fail."""
    raise ValueError


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def retry(self: Any) -> None:
    """Try once more, then fail."""
    raise self.retry()


@app.task
def die() -> None:
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(time_limit=1)
def hang() -> None:
    """Exceed the time limit."""
    time.sleep(60)
