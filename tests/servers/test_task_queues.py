"""Task queues with real workers and a real broker: Celery's pools, and RQ with its work horses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.programs import run_python
from tests.redis import redis
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import Samples, Server, total
from tests.servers.workers import worker
from tests.waiting import wait_until

pytestmark = pytest.mark.server

CELERY = ["celery", "-A", "tests.servers.celery_app", "worker", "-l", "INFO"]

SEND_TASKS = """
from tests.servers.celery_app import add, app, die, fail, hang, retry
for number in range(30):
    add.delay(number)
for number in range(3):
    fail.delay()
retry.delay()
die.delay()
hang.delay()
add.apply_async((1,), expires=-1)
app.send_task("tests.servers.celery_app.fail", routing_key="celery")
"""

SEND_JOBS = """
import os, redis, rq
from tests.servers import rq_jobs
queue = rq.Queue("mail", connection=redis.Redis.from_url(os.environ["BROKER"]))
for number in range(10):
    queue.enqueue(rq_jobs.add, number)
queue.enqueue(rq_jobs.fail, retry=rq.Retry(max=1))
queue.enqueue(rq_jobs.die)
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with redis(tmp_path) as port:
        yield f"redis://127.0.0.1:{port}/0"


def states(page: Samples, name: str, task: str, state: str) -> dict[tuple[str, str], float]:
    """The values of a counter by task, without its module, and by state."""
    found = {}
    for (sample, pairs), value in page.items():
        if sample == name:
            labels = dict(pairs)
            found[labels[task].rpartition(".")[2], labels[state]] = value
    return found


def wait_for(server: Server, expected: Mapping[tuple[str, str], float], *arguments: str) -> Samples:
    wait_until(
        lambda: states(server.page(), *arguments) == expected,
        60,
        "all tasks",
        details=lambda: f"{states(server.page(), *arguments)}\n{server.log.read_text()[-3000:]}",
    )
    return server.page()


def test_celery_counts_every_task_once_also_those_of_recycled_and_killed_processes(
    broker: str, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        env = {"BROKER": broker, "DUALMETRICS_CONVENTION": "both", **push_settings(receiver, interval=60_000)}
        with worker([*CELERY, "-c", "2", "--max-tasks-per-child", "4"], tmp_path, **env) as server:
            run_python(SEND_TASKS, BROKER=broker)
            expected = {
                ("add", "SUCCESS"): 30,
                ("add", "REVOKED"): 1,
                ("fail", "FAILURE"): 4,
                ("retry", "RETRY"): 1,
                ("retry", "FAILURE"): 1,
                ("die", "FAILURE"): 1,
                ("hang", "FAILURE"): 1,
            }
            page = wait_for(server, expected, "celery_tasks_total", "celery_task_name", "celery_state")
            assert total(page, "celery_tasks_active") == 0
            assert total(page, "celery_task_wait_seconds_count") == 38
            assert 1 <= total(page, "celery_task_duration_seconds_sum", celery_state="FAILURE") < 60
            assert total(page, "messaging_client_consumed_messages_total", messaging_system="celery") == 38
            assert total(page, "messaging_process_duration_seconds_count", error_type="ValueError") == 4
            lost = "billiard.exceptions.WorkerLostError"
            assert total(page, "messaging_process_duration_seconds_count", error_type=lost) == 1
            assert total(page, "celery_tasks_total", celery_queue="celery") == 39
            assert total(page, "dualmetrics_internal_errors_total") == 0
            assert "Signal handler" not in server.log.read_text()
            server.stop(timeout=30)
            assert pushed_total(receiver, "celery.tasks") == 39


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_celery_counts_in_pools_without_processes(broker: str, tmp_path: Path, pool: str) -> None:
    with worker([*CELERY, "-P", pool, "-c", "2"], tmp_path, BROKER=broker) as server:
        assert total(server.page(), "dualmetrics_workers") == 1
        run_python("from tests.servers.celery_app import add\nfor _ in range(9): add.delay(1)", BROKER=broker)
        page = wait_for(
            server, {("add", "SUCCESS"): 9}, "celery_tasks_total", "celery_task_name", "celery_state"
        )
        assert total(page, "celery_task_duration_seconds_count") == 9
        server.stop(timeout=30)


def test_rq_counts_every_job_once_also_those_of_killed_work_horses(broker: str, tmp_path: Path) -> None:
    command = ["rq.cli", "worker", "--url", broker, "--worker-class", "dualmetrics_rq.Worker", "mail"]
    with (
        Receiver() as receiver,
        worker(command, tmp_path, **push_settings(receiver, interval=60_000)) as server,
    ):
        run_python(SEND_JOBS, BROKER=broker)
        expected = {
            ("add", "finished"): 10,
            ("fail", "retried"): 1,
            ("fail", "failed"): 1,
            ("die", "failed"): 1,
        }
        page = wait_for(server, expected, "rq_jobs_total", "rq_job_name", "rq_state")
        assert total(page, "rq_jobs_active") == 0
        assert total(page, "rq_job_wait_seconds_count", rq_queue="mail") == 13
        assert total(page, "rq_job_duration_seconds_count") == 13
        server.stop(timeout=30)
        assert pushed_total(receiver, "rq.jobs") == 13
