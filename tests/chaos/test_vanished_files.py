"""Somebody deletes files of the group while a server works: no page ever shows less than one before."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import Server, gunicorn, samples, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

WORKERS = 3


@contextmanager
def scraped(server: Server) -> Iterator[list[float]]:
    """Scrape all the time. Gives the totals; pages with the status 503 show none."""
    totals: list[float] = []
    stop = threading.Event()

    def scrape() -> None:
        while not stop.is_set():
            status, body = server.get("/metrics")
            if status == 200:
                totals.append(total(samples(body), "http_requests_total"))
            else:
                assert status == 503

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield totals
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("what", ["the directory", "archive", "a worker's file", "admitted", "group", "push"])
def test_no_page_shows_less_after_a_deletion_under_load(tmp_path: Path, what: str) -> None:
    with gunicorn(
        "gunicorn-gthread", tmp_path, workers=WORKERS, DUALMETRICS_DIR=str(tmp_path / "m")
    ) as server:
        requests = server.work_until_all_answer(60).total()
        server.kill_worker(min(server.workers()))
        requests += server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        for _ in range(30):  # so that every worker has seen the files of all others
            server.page()
        group = next((tmp_path / "m").rglob("archive")).parent
        with scraped(server) as totals:
            if what == "the directory":
                shutil.rmtree(group, ignore_errors=True)  # a worker may already write a new file there
            elif what == "a worker's file":
                min(group.glob("worker-*")).unlink()
            else:
                (group / what).unlink()
            requests += server.work_until_all_answer(100).total()
        assert totals == sorted(totals)
        wait_until(lambda: {server.get("/metrics")[0] for _ in range(20)} == {200}, 20, "all pages")
        server.wait_for_requests(requests)
        # A new worker knows only what is on the disk.
        server.kill_worker(min(server.workers()))
        requests += server.work_until_all_answer(60).total()
        server.wait_for_requests(requests)
        assert server.request_totals() == {requests}
        assert server.log.read_text().count("somebody has deleted files") <= WORKERS


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_the_push_goes_on_after_the_directory_was_deleted(tmp_path: Path, temporality: str) -> None:
    with Receiver() as receiver:
        env = {
            **push_settings(receiver, interval=200),
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
            "DUALMETRICS_DIR": str(tmp_path / "m"),
        }
        with gunicorn("gunicorn-gthread", tmp_path, workers=WORKERS, **env) as server:
            requests = server.work_until_all_answer(60).total()
            wait_until(lambda: pushed_total(receiver, "http.requests") == requests, 15, "the first push")
            shutil.rmtree(tmp_path / "m", ignore_errors=True)
            requests += server.work_until_all_answer(60).total()
            wait_until(lambda: pushed_total(receiver, "http.requests") >= requests, 20, "a push")
            server.work(20)
            wait_until(lambda: pushed_total(receiver, "http.requests") >= requests + 20, 20, "another push")
            assert pushed_total(receiver, "http.requests") == requests + 20
            assert len({resource for resource, *_ in receiver.series()}) == 1
