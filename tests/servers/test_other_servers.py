"""The promise on servers that fork, spawn, thread and end their workers each in its own way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.other_servers import COMMANDS, idle, other
from tests.servers.server import Server, total
from tests.servers.test_totals import counted, pushed
from tests.waiting import wait_until

pytestmark = pytest.mark.server

HYPERCORN = {"hypercorn", "hypercorn-wsgi"}
"""It ends itself when a worker is killed, and kills the other workers as soon as the first one has ended."""


def kill_one(server: Server, workers: set[int]) -> None:
    """Kill a worker and wait for the one that takes its place."""
    before = server.workers()
    os.kill(min(workers), signal.SIGKILL)
    wait_until(lambda: server.workers() - before, 20, "a new worker", details=server.log.read_text)


def asked_again(kind: str, server: Server) -> int:
    """Send more requests; how many.

    Granian, uWSGI and gunicorn with gevent are asked until all workers serve: one that is told to end while
    it starts does not hear it, whatever app it serves, and they wait for it.
    """
    asked = 0
    if not kind.startswith(("granian", "uwsgi", "gunicorn-gevent")):
        return sum(server.work(100).values())
    while not server.workers() <= set(server.work(20)):
        asked += 20
        assert asked < 10_000, "a worker that does not serve"
    return asked + 20


@pytest.mark.parametrize("kind", COMMANDS)
def test_all_workers_are_one_group_and_the_last_counts_are_delivered(kind: str, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        other(
            kind,
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint,
            OTEL_METRIC_EXPORT_INTERVAL="300",
        ) as server,
    ):
        answered = server.work_until_several_answer(300)
        first = sum(answered.values())
        page = server.wait_for_requests(first)
        # a worker that has shown the page is one, even if it has answered nothing else yet
        assert len(answered) <= total(page, "dualmetrics_workers") <= 4
        assert {counted(server) for _ in range(12)} == {first}
        if kind not in HYPERCORN:
            kill_one(server, set(answered))
        asked = first + asked_again(kind, server)
        page = server.wait_for_requests(asked)
        assert {counted(server) for _ in range(12)} == {asked}
        assert total(page, "dualmetrics_internal_errors_total") == 0
        wait_until(lambda: pushed(receiver, "http.requests") == asked, 20, "the push to show the total")
        server.work(10)
        server.wait_for_requests(asked + 10)
        if kind.startswith("uwsgi"):
            wait_until(lambda: idle(tmp_path), 20, "all workers to be idle")
        server.stop()
        if kind not in HYPERCORN:
            wait_until(lambda: pushed(receiver, "http.requests") == asked + 10, 5, "the last push")
        assert len({resource for resource, *_ in receiver.series()}) == 1
