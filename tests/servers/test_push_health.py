"""The time of the last push belongs to the group, not to the worker that pushed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.server import Server, gunicorn
from tests.unit.exporters.otlp.receiver import http_receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.server

LAST_EXPORT = ("dualmetrics_last_export_timestamp_seconds", ())


def last_exports(server: Server) -> set[float]:
    """The time on the pages of several workers."""
    return {server.page()[LAST_EXPORT] for _ in range(8)}


def test_the_time_of_the_last_push_outlives_the_workers(tmp_path: Path) -> None:
    with http_receiver() as collector:
        collector.status = 500
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "300"}
        with gunicorn("gunicorn-sync", tmp_path, workers=2, **env) as server:
            wait_until(lambda: collector.paths, 20, "a push")
            assert last_exports(server) == {0.0}
            collector.status = 200
            wait_until(lambda: min(last_exports(server)) > 0, 20, "a push that arrives")
            collector.status = 500
            wait_until(lambda: len(last_exports(server)) == 1, 20, "the last push that arrives")
            (last,) = last_exports(server)
            for worker in server.workers():
                server.kill_worker(worker)
            assert last_exports(server) == {last}
            assert "works again" in server.log.read_text()
