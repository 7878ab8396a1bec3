"""Exponential histograms of four workers, one of which is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import push_settings
from tests.servers.server import gunicorn, total, uvicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server

REQUESTS = 400


def latest_points(receiver: Receiver) -> list[Any]:
    """Return the exponential points of the request duration in the last push."""
    return [
        point
        for request in receiver.requests[-1:]
        for scope in request.message.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name == "http.request.duration"
        for point in metric.exponential_histogram.data_points
    ]


def pushed_count(receiver: Receiver) -> int:
    return sum(point.count for point in latest_points(receiver))


@pytest.mark.parametrize(
    "start", [lambda *a, **k: gunicorn("gunicorn-sync", *a, **k), uvicorn], ids=["gunicorn", "uvicorn"]
)
def test_the_pushed_buckets_have_every_request_after_a_worker_was_killed(start: Any, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        start(tmp_path, DUALMETRICS_NATIVE_HISTOGRAMS="true", **push_settings(receiver)) as server,
    ):
        answered = server.work(REQUESTS // 2)
        server.wait_for_requests(REQUESTS // 2)
        server.kill_worker(max(answered, key=lambda pid: answered[pid]))
        server.work(REQUESTS // 2)
        page = server.wait_for_requests(REQUESTS)
        assert total(page, "http_request_duration_milliseconds_count") == REQUESTS
        wait_until(lambda: pushed_count(receiver) == REQUESTS, 20, "the push of the total")
        for point in latest_points(receiver):
            assert point.zero_count + sum(point.positive.bucket_counts) == point.count
        assert total(page, "http_request_duration_milliseconds_sum") == pytest.approx(
            sum(point.sum for point in latest_points(receiver))
        )
