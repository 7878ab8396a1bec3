"""Somebody deletes files of the group while a server works: no page ever shows less than one before."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.servers.server import Server, gunicorn, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

WORKERS = 3


def answers(server: Server) -> set[int]:
    """The statuses of the page in 30 requests, so that every worker answers some."""
    return {server.get("/metrics")[0] for _ in range(30)}


def test_without_its_directory_a_server_answers_503_until_its_workers_are_new(tmp_path: Path) -> None:
    with gunicorn(
        "gunicorn-gthread", tmp_path, workers=WORKERS, DUALMETRICS_DIR=str(tmp_path / "m")
    ) as server:
        requests = server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        assert answers(server) == {200}  # so that every worker has seen the files of the others
        shutil.rmtree(next((tmp_path / "m").rglob("worker-0")).parent)
        server.work_until_all_answer(30)
        assert answers(server) == {503}
        assert b"was deleted" in server.get("/metrics")[1]
        assert 1 <= server.log.read_text().count("was deleted") <= WORKERS

        old = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers() - old) == len(server.workers()) == WORKERS, 30, "new workers")
        counted = total(server.page(), "http_requests_total")
        requests = server.work_until_all_answer(60).total()
        server.wait_for_requests(counted + requests)
        assert server.request_totals() == {counted + requests}


@pytest.mark.parametrize("name", ["archive", "admitted", "push"])
def test_a_deleted_file_of_the_whole_group_changes_no_total(tmp_path: Path, name: str) -> None:
    with gunicorn(
        "gunicorn-gthread", tmp_path, workers=WORKERS, DUALMETRICS_DIR=str(tmp_path / "m")
    ) as server:
        requests = server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        server.kill_worker(min(server.workers()))
        requests += server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        assert server.request_totals() == {requests}
        next((tmp_path / "m").rglob(name)).unlink()
        assert server.request_totals() == {requests}
        requests += server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        assert server.request_totals() == {requests}


def test_after_the_file_of_one_worker_was_deleted_no_page_shows_less(tmp_path: Path) -> None:
    with gunicorn(
        "gunicorn-gthread", tmp_path, workers=WORKERS, DUALMETRICS_DIR=str(tmp_path / "m")
    ) as server:
        requests = server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        assert server.request_totals() == {requests}
        next((tmp_path / "m").rglob("worker-1")).unlink()
        for _ in range(30):
            status, body = server.get("/metrics")
            assert (
                status == 503
                or sum(
                    float(line.split()[-1])
                    for line in body.decode().splitlines()
                    if line.startswith("http_requests_total")
                )
                == requests
            )
