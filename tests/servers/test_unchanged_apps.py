"""Apps that do not know dualmetrics, with several workers."""

from __future__ import annotations

import contextlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import pushed_total
from tests.servers.server import Server, gunicorn, total
from tests.servers.test_bridges import wait_for_total
from tests.unit.bridges.bridged import received_scopes
from tests.waiting import wait_until

pytestmark = pytest.mark.server

KINTO = """
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.includes = kinto.plugins.prometheus
kinto.prometheus_prefix = kinto
"""
REQUESTS = 300


def test_the_metrics_of_kinto_are_exact_on_page_and_push(tmp_path: Path) -> None:
    ini = tmp_path / "kinto.ini"
    ini.write_text(KINTO)
    with (
        Receiver() as receiver,
        gunicorn(
            "gunicorn-kinto",
            tmp_path,
            KINTO_INI=str(ini),
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint,
            OTEL_METRIC_EXPORT_INTERVAL="300",
        ) as server,
    ):
        with ThreadPoolExecutor(8) as clients:
            assert {status for status, _ in clients.map(server.get, ["/v1/"] * REQUESTS)} == {200}
        name = "kinto_request_summary_total"
        page = wait_for_total(server, name, REQUESTS, endpoint="hello")
        assert total(page, "kinto_request_size_count", endpoint="hello") == REQUESTS
        assert total(page, "kinto_request_duration_seconds_count", endpoint="hello") == REQUESTS
        wait_until(lambda: pushed_total(receiver, name, endpoint="hello") == REQUESTS, 20, "the push")
        assert total(page, "dualmetrics_workers") > 1


def points_of(name: str, scopes: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The points of a histogram, each with the name of its scope."""
    for received in scopes:
        for metric in received.metrics:
            if metric.name == name:
                for point in metric.histogram.data_points:
                    yield received.scope.name, point


def pushed_calls(receiver: Receiver, library: str) -> int:
    """The calls of one library in the last push."""
    points = points_of("http.client.request.duration", received_scopes(receiver)[-50:])
    latest = {str(point.attributes): int(point.count) for scope, point in points if scope.endswith(library)}
    return sum(latest.values())


def server_counts(receiver: Receiver) -> dict[tuple[str, str | None], int]:
    """The requests that the server has counted, by scope and route."""
    counts = {}
    for scope, point in points_of("http.server.request.duration", received_scopes(receiver)):
        attributes = {pair.key: pair.value.string_value for pair in point.attributes}
        counts[scope, attributes.get("http.route")] = int(point.count)
    return counts


@contextlib.contextmanager
def instrumented(receiver: Receiver, tmp_path: Path) -> Iterator[Server]:
    """Run an app under ``opentelemetry-instrument``."""
    script = str(Path(sysconfig.get_path("scripts")) / "gunicorn")
    with gunicorn(
        "gunicorn-instrumented",
        tmp_path,
        workers=2,
        before=["opentelemetry-instrument", sys.executable, script],
        OTEL_PYTHON_METER_PROVIDER="dualmetrics",
        OTEL_PYTHON_CONFIGURATOR="none",
        OTEL_SEMCONV_STABILITY_OPT_IN="http",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.grpc_endpoint,  # the distribution's default is gRPC
        OTEL_METRIC_EXPORT_INTERVAL="300",
    ) as server:
        yield server


def test_common_instrumentations_record_into_dualmetrics(tmp_path: Path) -> None:
    with Receiver() as receiver, instrumented(receiver, tmp_path) as server:
        server.work(100)

        def state() -> object:
            return pushed_calls(receiver, "httpx"), pushed_calls(receiver, "requests")

        wait_until(lambda: state() == (100, 100), 30, "the push", details=state)
        names = {name for _, name, *_ in receiver.series()}
        assert {"http.server.request.duration", "system.memory.usage"} <= names
        # The instrumentation of Flask traces; our instrumentor counts, once and by the template.
        counts = server_counts(receiver)
        assert counts[("dualmetrics", "/work/<int:number>")] == 100
        assert {scope for scope, _ in counts} == {"dualmetrics"}
        assert [name for name in names if name.startswith("db.client")]
