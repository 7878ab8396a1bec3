"""The integration of Celery in one process, with tasks that run at once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from celery import Celery
from celery.app.trace import build_tracer

from dualmetrics import Telemetry
from dualmetrics.testing import Metrics
from dualmetrics_celery import DualMetrics


def make_app(telemetry: Telemetry) -> tuple[Celery, Any]:
    app = Celery("shop", set_as_current=False)
    app.conf.task_always_eager = True
    DualMetrics(app, telemetry=telemetry)

    @app.task(name="pay")
    def pay(error: str = "") -> None:
        if error:
            raise ValueError(error)

    return app, pay


@pytest.mark.parametrize("convention", ["classic", "semconv", "both"])
def test_each_convention_has_its_names(metrics: Metrics, convention: str) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention=convention)
    _, pay = make_app(telemetry)
    pay.delay()
    pay.delay("no money")
    own = metrics.of(telemetry)
    assert own.value("celery.tasks", celery_task_name="pay", celery_state="SUCCESS") == 1
    assert own.value("celery.tasks", celery_task_name="pay", celery_state="FAILURE") == 1
    assert own.value("celery.tasks.active") == own.value("celery.task.wait") == 0
    if convention != "semconv":
        assert own.value("celery.task.duration", celery_state="FAILURE") == 1
    if convention != "classic":
        assert (
            own.value("messaging.process.duration", error_type="ValueError", messaging_system="celery") == 1
        )
        assert own.value("messaging.client.consumed.messages") == 2
    assert telemetry.errors.error_count == 0
    telemetry.shutdown()


def test_an_app_counts_its_own_tasks_once_however_often_it_was_instrumented(metrics: Metrics) -> None:
    telemetry, other = (Telemetry(metrics_exporter="prometheus") for _ in range(2))
    app, pay = make_app(telemetry)
    make_app(other)
    DualMetrics(app, telemetry=telemetry)
    pay.delay()
    assert metrics.of(telemetry).value("celery.tasks") == 1
    assert metrics.of(other).value("celery.tasks") == 0
    telemetry.shutdown()
    other.shutdown()


@pytest.mark.parametrize(
    ("routing_key", "queue"),
    [("mail", "mail"), ("mail.key", "mail"), ("made up", "_OTHER"), (None, "_OTHER")],
)
def test_only_queues_of_the_app_become_labels(metrics: Metrics, routing_key: str | None, queue: str) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus")
    app, pay = make_app(telemetry)
    app.amqp.queues.add("mail", routing_key="mail.key")
    pay.apply(routing_key=routing_key)
    assert metrics.of(telemetry).value("celery.tasks", celery_queue=queue) == 1
    telemetry.shutdown()


@pytest.mark.parametrize(("eta", "waited"), [(None, 60), (-20, 20), (30, 0)])
def test_a_task_with_a_start_time_waits_from_then_on(metrics: Metrics, eta: int | None, waited: int) -> None:
    now = datetime.now(timezone.utc)
    telemetry = Telemetry(metrics_exporter="prometheus")
    app, pay = make_app(telemetry)
    sent = (now - timedelta(seconds=60)).timestamp()
    start = None if eta is None else (now + timedelta(seconds=eta)).isoformat()
    request = {"id": "1", "dualmetrics_sent": sent, "eta": start, "is_eager": True}
    build_tracer(pay.name, pay, app=app, eager=True)("1", (), {}, request)
    assert metrics.of(telemetry).value("celery.task.wait") == 1
    assert metrics.of(telemetry).value("celery_task_wait_seconds_sum") == pytest.approx(waited, abs=5)
    telemetry.shutdown()
