"""Apps that do not know dualmetrics, with several workers."""

from __future__ import annotations

import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import pushed_total
from tests.servers.server import gunicorn, total
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


def attributes_of(point: Any) -> list[tuple[str, str]]:
    return [(pair.key, pair.value.string_value) for pair in point.attributes]


def test_common_instrumentations_record_into_dualmetrics(tmp_path: Path) -> None:
    script = str(Path(sysconfig.get_path("scripts")) / "gunicorn")
    with (
        Receiver() as receiver,
        gunicorn(
            "gunicorn-instrumented",
            tmp_path,
            workers=2,
            before=["opentelemetry-instrument", sys.executable, script],
            OTEL_PYTHON_METER_PROVIDER="dualmetrics",
            OTEL_PYTHON_CONFIGURATOR="none",
            OTEL_SEMCONV_STABILITY_OPT_IN="http",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.grpc_endpoint,  # the distribution's default is gRPC
            OTEL_METRIC_EXPORT_INTERVAL="300",
        ) as server,
    ):
        server.work(100)

        def pushed_calls(scope: str) -> int:
            """The calls of one library in the last push."""
            points = (
                point
                for received in received_scopes(receiver)[-50:]
                if received.scope.name.endswith(scope)
                for metric in received.metrics
                if metric.name == "http.client.request.duration"
                for point in metric.histogram.data_points
            )
            latest = {str(point.attributes): int(point.count) for point in points}
            return sum(latest.values())

        def state() -> object:
            return pushed_calls("httpx"), pushed_calls("requests")

        wait_until(lambda: state() == (100, 100), 30, "the push", details=state)
        names = {name for _, name, *_ in receiver.series()}
        assert {"http.server.request.duration", "system.memory.usage"} <= names
        # The instrumentation of Flask traces; our instrumentor counts, once and by the template.
        counts = {
            (received.scope.name, dict(attributes_of(point)).get("http.route")): int(point.count)
            for received in received_scopes(receiver)
            for metric in received.metrics
            if metric.name == "http.server.request.duration"
            for point in metric.histogram.data_points
        }
        assert counts[("dualmetrics", "/work/<int:number>")] == 100
        assert {scope for scope, _ in counts} == {"dualmetrics"}
        assert [name for name in names if name.startswith("db.client")]
