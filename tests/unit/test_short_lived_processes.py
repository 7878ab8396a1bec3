"""A process that ends before its background thread did anything still delivers what it counted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dualmetrics.cli.otlp_receiver import Receiver

PROGRAM = """
import dualmetrics
dualmetrics.configure().meter("short").create_counter("jobs").add(3)
"""


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_one_count_and_the_end(protocol: str, temporality: str) -> None:
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality,
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        series = {name: (service, found) for (service, name, _, _), found in receiver.series().items()}
        service, found = series["jobs"]
        assert found.value == 3
        assert service.startswith("unknown_service"), "the resource of every other push"
        assert {"service.instance.id", "telemetry.sdk.name"} <= dict(found.resource).keys()
