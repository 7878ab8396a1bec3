"""Exemplars of four traced workers: on any worker's page, in the push, and stored by Prometheus."""

from __future__ import annotations

import json
import urllib.request
from contextlib import AbstractContextManager as Context
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus import Page
from tests import backends
from tests.servers.pushes import push_settings
from tests.servers.server import Server, gunicorn
from tests.unit.exporters.prometheus import reading
from tests.waiting import wait_until

pytestmark = pytest.mark.server

NAMES = ("http_requests_total", "http_request_duration_milliseconds_bucket", "jobs_total")


def traced_server(tmp_path: Path, **env: str) -> Context[Server]:
    """Run gunicorn with four workers that trace every request."""
    return gunicorn("gunicorn-traced", tmp_path, workers=4, **env)


def work(server: Server) -> tuple[int, str]:
    """Send a request. Returns the pid of the worker that answered, and the trace id."""
    status, body = server.get("/work/1")
    assert status == 200, body
    answer = json.loads(body)
    return answer["pid"], answer["trace"]


def work_until_all_answer(server: Server) -> list[tuple[int, str]]:
    """Send requests until each worker has answered. Returns the pid and the trace id of each."""
    answers = [work(server)]
    while {pid for pid, _ in answers} != server.workers():
        assert len(answers) < 5000, "a worker does not serve"
        answers.append(work(server))
    return answers


def traces_on_page(server: Server) -> dict[str, set[str]]:
    """Return the trace ids of the exemplars on the page, by the name of their sample."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/metrics", headers={"Accept": "application/openmetrics-text"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        page = response.read()
    traces: dict[str, set[str]] = {name: set() for name in NAMES}
    for family in reading.metrics(Page(reading.OPENMETRICS, [page])):
        for sample in family.samples:
            if sample.exemplar and sample.name in NAMES:
                traces[sample.name].add(sample.exemplar.labels["trace_id"])
    return traces


def wait_for_trace_on_pages(server: Server, trace: str) -> None:
    """Wait until each of several scrapes shows this trace for every name."""
    wait_until(
        lambda: all(trace in traces_on_page(server)[name] for name in NAMES for _ in range(3)),
        15,
        f"trace {trace}",
        details=lambda: traces_on_page(server),
    )


def test_any_page_shows_the_latest_exemplar_also_after_its_worker_was_killed(tmp_path: Path) -> None:
    with traced_server(tmp_path) as server:
        work_until_all_answer(server)
        pid, latest = work(server)
        wait_for_trace_on_pages(server, latest)
        server.kill_worker(pid)
        wait_for_trace_on_pages(server, latest)
        traces = traces_on_page(server)
        assert traces["http_requests_total"] == traces["jobs_total"] == {latest}


def test_the_push_has_the_latest_exemplars(tmp_path: Path) -> None:
    with Receiver() as receiver, traced_server(tmp_path, **push_settings(receiver)) as server:
        work_until_all_answer(server)
        _, latest = work(server)
        for name in ("http.requests", "http.request.duration"):
            assert receiver.wait_for(lambda name=name: latest in pushed_traces(receiver, name), 20)  # type: ignore[misc]


def pushed_traces(receiver: Receiver, metric: str) -> set[str]:
    """Return the trace ids of a metric's exemplars in the push."""
    return {
        f"{exemplar.trace_id:032x}"
        for (_, name, _, _), point in receiver.series().items()
        if name == metric
        for exemplar in point.exemplars
    }


def test_prometheus_stores_the_exemplars(tmp_path: Path) -> None:
    keep_exemplars = "--enable-feature=exemplar-storage"
    with (
        traced_server(tmp_path) as server,
        backends.prometheus(tmp_path, [backends.Target(server.port, {})], keep_exemplars) as database,
    ):
        sent = {trace for _, trace in work_until_all_answer(server)}
        _, latest = work(server)
        for name in NAMES:
            wait_until_stored(database, name, latest)
            for exemplar in database.exemplars(name):
                assert exemplar["labels"]["trace_id"] in {*sent, latest}
                assert len(exemplar["labels"]["span_id"]) == 16
                assert float(exemplar["value"]) > 0


def wait_until_stored(database: backends.Database, name: str, trace: str) -> None:
    wait_until(
        lambda: trace in {exemplar["labels"]["trace_id"] for exemplar in database.exemplars(name)},
        20,
        f"trace {trace} of {name}",
        details=lambda: database.exemplars(name),
    )
