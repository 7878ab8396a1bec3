"""Exponential histograms of four workers, one of which is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.server import gunicorn, total, uvicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

REQUESTS = 400
DURATION = "http.request.duration"


def latest(receiver: Receiver) -> list[Any]:
    """The points of the last push."""
    found: list[Any] = []
    for request in receiver.requests[-1:]:
        for scope in request.message.resource_metrics[0].scope_metrics:
            for metric in scope.metrics:
                if metric.name == DURATION:
                    found += metric.exponential_histogram.data_points
    return found


def counted(receiver: Receiver) -> int:
    return sum(point.count for point in latest(receiver))


@pytest.mark.parametrize(
    "start", [lambda *a, **k: gunicorn("gunicorn-sync", *a, **k), uvicorn], ids=["gunicorn", "uvicorn"]
)
def test_every_request_is_in_the_pushed_buckets_though_a_worker_is_killed(start: Any, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        start(
            tmp_path,
            DUALMETRICS_NATIVE_HISTOGRAMS="true",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint,
            OTEL_METRIC_EXPORT_INTERVAL="300",
        ) as server,
    ):
        answered = server.work(REQUESTS // 2)
        server.settle(REQUESTS // 2)
        before = server.workers()
        os.kill(max(answered, key=lambda pid: answered[pid]), signal.SIGKILL)
        wait_until(lambda: len(server.workers() - before) == 1, 20, "a new worker")
        server.work(REQUESTS // 2)
        page = server.settle(REQUESTS)
        assert total(page, "http_request_duration_milliseconds_count") == REQUESTS
        wait_until(lambda: counted(receiver) == REQUESTS, 20, "the push to show the total")
        for point in latest(receiver):
            assert point.zero_count + sum(point.positive.bucket_counts) == point.count
        assert total(page, "http_request_duration_milliseconds_sum") == pytest.approx(
            sum(point.sum for point in latest(receiver))
        )
