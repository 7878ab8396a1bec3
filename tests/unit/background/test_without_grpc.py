"""Without grpcio, everything but the gRPC push works."""

from __future__ import annotations

from pathlib import Path

from tests.programs import run_python
from tests.unit.exporters.otlp.receiver import http_receiver

HIDE_GRPC = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("grpc", "opentelemetry.exporter.otlp.proto.grpc"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""

PUSH_AND_PAGE = """
from dualmetrics import Telemetry, asgi, cli, wsgi
from dualmetrics.testing.asgi_client import fetch

telemetry = Telemetry(endpoint=sys.argv[1], protocol="http/protobuf")
telemetry.meter("app").create_counter("jobs").add(2)
assert telemetry.force_flush(10)
print(fetch(asgi.metrics_app(telemetry), "GET", "/metrics").body.decode())
telemetry.shutdown(1)
assert "grpc" not in sys.modules
"""


def test_the_page_and_the_push_over_http_work(tmp_path: Path) -> None:
    with http_receiver() as received:
        directory = {"DUALMETRICS_DIR": str(tmp_path)}
        printed = run_python(HIDE_GRPC + PUSH_AND_PAGE, received.endpoint, **directory).stdout
        assert received.metric("jobs").sum.data_points[0].as_double == 2
    assert 'jobs_total{otel_scope_name="app"' in printed


def test_a_grpc_push_says_what_to_install(tmp_path: Path) -> None:
    code = """
from dualmetrics import SettingsError, Telemetry
try:
    Telemetry(endpoint="http://127.0.0.1:4317")
except SettingsError as error:
    print(error)
"""
    printed = run_python(HIDE_GRPC + code, DUALMETRICS_DIR=str(tmp_path)).stdout
    assert "pip install opentelemetry-exporter-otlp-proto-grpc" in printed
