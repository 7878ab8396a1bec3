"""Exemplars of four workers with a real tracer: on any worker's page, in the Collector, in Prometheus."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus import Page
from tests.ports import free_port
from tests.servers.server import Server, run_server
from tests.unit.exporters.prometheus import reading
from tests.waiting import wait_until

pytestmark = pytest.mark.server

NAMES = ("http_requests_total", "http_request_duration_milliseconds_bucket", "jobs_total")


@contextlib.contextmanager
def traced(tmp_path: Path, **env: str) -> Iterator[Server]:
    """gunicorn with four workers that trace every request."""
    port = free_port()
    command = ["gunicorn", "-w", "4", "-b", f"127.0.0.1:{port}", "tests.servers.traced_app:app"]
    with run_server(command, port, tmp_path, env) as server:
        wait_until(lambda: len(server.workers()) == 4, 20, "all workers to be there")
        yield server


def work(server: Server) -> tuple[int, str]:
    """Send a request; the pid of who answered, and the trace."""
    status, body = server.get("/work/1")
    assert status == 200, body
    answer = json.loads(body)
    return answer["pid"], answer["trace"]


def work_of_all(server: Server) -> list[tuple[int, str]]:
    """Send requests until each worker has answered."""
    done = [work(server)]
    while {pid for pid, _ in done} != server.workers():
        assert len(done) < 5000, "some worker never serves"
        done.append(work(server))
    return done


def fetched(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
        body: bytes = response.read()
        return body


def shown(server: Server) -> dict[str, set[str]]:
    """The traces on the page, by the name of their sample."""
    page = fetched(f"http://127.0.0.1:{server.port}/metrics", Accept="application/openmetrics-text")
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for family in reading.metrics(Page(reading.OPENMETRICS, [page])):
        for sample in family.samples:
            if sample.exemplar and sample.name in NAMES:
                found[sample.name].add(sample.exemplar.labels["trace_id"])
    return found


def wait_for(server: Server, trace: str) -> None:
    """Wait until every look at the page shows this as the latest trace."""
    wait_until(
        lambda: all(trace in shown(server)[name] for name in NAMES for _ in range(3)),
        15,
        f"trace {trace}",
        details=lambda: shown(server),
    )


def test_any_worker_shows_the_latest_of_all_and_keeps_it_when_its_worker_is_killed(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        work_of_all(server)
        pid, latest = work(server)
        wait_for(server, latest)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in server.workers() and len(server.workers()) == 4, 20, "another worker")
        wait_for(server, latest)
        found = shown(server)
        assert found["http_requests_total"] == found["jobs_total"] == {latest}


def test_the_collector_gets_them(tmp_path: Path) -> None:
    with Receiver() as receiver:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "300",
        }
        with traced(tmp_path, **env) as server:
            work_of_all(server)
            _, latest = work(server)
            assert receiver.wait_for(lambda: latest in received(receiver, "http.requests"), 20)
            assert receiver.wait_for(lambda: latest in received(receiver, "http.request.duration"), 20)


def received(receiver: Receiver, metric: str) -> set[str]:
    return {
        f"{each.trace_id:032x}"
        for (_, name, _, _), found in receiver.series().items()
        if name == metric
        for each in found.exemplars
    }


# Prometheus

CONFIG = """
global: {{scrape_interval: 300ms, scrape_timeout: 300ms}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@contextlib.contextmanager
def prometheus(scraped: int, tmp_path: Path) -> Iterator[str]:
    """A Prometheus that keeps exemplars; the base URL of its API."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus here (Debian: apt-get install prometheus)")
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(port=scraped))
    address, log = f"127.0.0.1:{free_port()}", tmp_path / "prometheus.log"
    options = {
        "config.file": tmp_path / "prometheus.yml",
        "storage.tsdb.path": tmp_path / "data",
        "web.listen-address": address,
        "enable-feature": "exemplar-storage",
    }
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: ready(address), 30, "Prometheus", details=log.read_text)
        yield f"http://{address}/api/v1"
    finally:
        process.kill()
        process.wait(10)


def ready(address: str) -> bool:
    try:
        return bool(fetched(f"http://{address}/-/ready"))
    except OSError:
        return False


def stored(api: str, query: str) -> list[dict[str, Any]]:
    """The exemplars that Prometheus has, of all series of a query."""
    arguments = urllib.parse.urlencode({"query": query, "start": 0, "end": 1 << 32})
    answer = json.loads(fetched(f"{api}/query_exemplars?{arguments}"))
    assert answer["status"] == "success", answer
    return [exemplar for series in answer["data"] for exemplar in series["exemplars"]]


def wait_until_stored(api: str, name: str, trace: str) -> None:
    wait_until(
        lambda: trace in {each["labels"]["trace_id"] for each in stored(api, name)},
        20,
        f"trace {trace} of {name}",
        details=lambda: stored(api, name),
    )


def test_prometheus_stores_them(tmp_path: Path) -> None:
    with traced(tmp_path) as server, prometheus(server.port, tmp_path) as api:
        sent = {trace for _, trace in work_of_all(server)}
        _, latest = work(server)
        for name in NAMES:
            wait_until_stored(api, name, latest)
        for each in (each for name in NAMES for each in stored(api, name)):
            assert each["labels"]["trace_id"] in {*sent, latest}
            assert len(each["labels"]["span_id"]) == 16
            assert float(each["value"]) > 0
