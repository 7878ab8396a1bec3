"""Exact totals on servers other than gunicorn and uvicorn, which start and end workers in their own ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.other_servers import COMMANDS, are_uwsgi_workers_idle, other_server
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

HYPERCORN = {"hypercorn", "hypercorn-wsgi"}
"""It ends when a worker is killed, and at its own end it kills the other workers once one has ended."""


@pytest.mark.parametrize("kind", COMMANDS)
def test_totals_are_exact_after_a_kill_and_the_last_counts_are_pushed(kind: str, tmp_path: Path) -> None:
    with Receiver() as receiver, other_server(kind, tmp_path, **push_settings(receiver)) as server:
        answered = server.work_until_several_answer(300)
        sent = answered.total()
        page = server.wait_for_requests(sent)
        # A worker counts as one once it has answered a scrape, even if it has answered nothing else.
        assert len(answered) <= total(page, "dualmetrics_workers") <= 4
        assert server.request_totals() == {sent}
        if kind not in HYPERCORN:
            server.kill_worker(min(answered))
        more = server.work(100) if kind in HYPERCORN else server.work_until_all_answer(100)
        sent += sum(more.values())
        page = server.wait_for_requests(sent)
        assert server.request_totals() == {sent}
        assert total(page, "dualmetrics_internal_errors_total") == 0
        wait_until(lambda: pushed_total(receiver, "http.requests") == sent, 20, "the push of the total")
        server.work(10)
        server.wait_for_requests(sent + 10)
        if kind.startswith("uwsgi"):
            wait_until(lambda: are_uwsgi_workers_idle(tmp_path), 20, "all workers to be idle")
        server.stop()
        if kind not in HYPERCORN:
            wait_until(lambda: pushed_total(receiver, "http.requests") == sent + 10, 5, "the last push")
        assert len({resource for resource, *_ in receiver.series()}) == 1
