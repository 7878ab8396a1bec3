"""What is pushed adds up to the page in every temporality, also after the pushing worker was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import gunicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server


@pytest.mark.parametrize("temporality", ["cumulative", "delta", "lowmemory"])
def test_pushes_add_up_to_the_page_after_the_leader_was_killed(temporality: str, tmp_path: Path) -> None:
    with Receiver() as receiver:
        env = {
            **push_settings(receiver, interval=200),
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
        }
        with gunicorn("gunicorn-sync", tmp_path, workers=2, **env) as server:
            server.work(30)
            wait_until(lambda: pushed_total(receiver, "http.requests") == 30, 15, "the first push")
            # A crash between a push and the write of its baseline would send that interval twice. When the
            # next push has arrived the baseline has been written.
            pushes = len(receiver.requests)
            wait_until(lambda: len(receiver.requests) > pushes + 1, 15, "the next push")
            for pid in server.workers():  # the leader is one of them
                server.kill_worker(pid)
            server.work(20)
            server.wait_for_requests(50)
            wait_until(lambda: pushed_total(receiver, "http.requests") >= 50, 15, "a push of a new worker")
            assert pushed_total(receiver, "http.requests") == 50
            assert pushed_total(receiver, "http.request.duration") == 50
            assert pushed_total(receiver, "jobs") == 50
            deltas = {name for (_, name, _, _), point in receiver.series().items() if point.delta}
            assert ("http.requests" in deltas) == (temporality != "cumulative")
