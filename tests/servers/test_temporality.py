"""Deltas that arrive add up to the page, whoever pushes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.server import Server, gunicorn
from tests.waiting import wait_until

pytestmark = pytest.mark.server


def received(receiver: Receiver, name: str) -> float:
    return sum(each.value for (_, found, _, _), each in receiver.series().items() if found == name)


def replace_every_worker(server: Server) -> None:
    """Kill them one after the other, so that the one that pushes is among them."""
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in server.workers(), 10, "a worker to be gone")  # noqa: B023  # waited for here
    wait_until(lambda: len(server.workers()) == 2, 10, "new workers")


@pytest.mark.parametrize("temporality", ["cumulative", "delta", "lowmemory"])
def test_what_arrives_adds_up_to_the_page_after_the_pusher_was_killed(
    temporality: str, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
        }
        with gunicorn("gunicorn-sync", tmp_path, workers=2, **env) as server:
            server.work(30)
            wait_until(lambda: received(receiver, "http.requests") == 30, 15, "the first push")
            # A crash between a push and its note sends an interval twice; the next push comes after the note.
            arrived = len(receiver.requests)
            wait_until(lambda: len(receiver.requests) > arrived + 1, 15, "the next push")
            replace_every_worker(server)
            server.work(20)
            server.wait_for_requests(50)
            wait_until(lambda: received(receiver, "http.requests") >= 50, 15, "the new worker's push")
            assert received(receiver, "http.requests") == 50
            assert received(receiver, "http.request.duration") == 50
            assert received(receiver, "jobs") == 50
            deltas = {name for (_, name, _, _), each in receiver.series().items() if each.delta}
            assert ("http.requests" in deltas) == (temporality != "cumulative")
