"""A process that ends before its background thread has done anything still pushes what it counted."""

from __future__ import annotations

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.programs import run_python

PROGRAM = """
import dualmetrics
dualmetrics.configure().meter("short").create_counter("jobs").add(3)
"""


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_a_process_that_ends_right_after_recording_pushes_its_counts(protocol: str, temporality: str) -> None:
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        finished = run_python(
            PROGRAM,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=temporality,
        )
        assert finished.stderr == ""
        series = {name: (service, point) for (service, name, _, _), point in receiver.series().items()}
        service, point = series["jobs"]
        assert point.value == 3
        assert service.startswith("unknown_service"), "the same resource as in any other push"
        assert {"service.instance.id", "telemetry.sdk.name"} <= dict(point.resource).keys()


KEEPS_ONLY_AN_INSTRUMENT = """
import gc
import dualmetrics
counter = dualmetrics.Telemetry().meter("short").create_counter("jobs")
gc.collect()
counter.add(3)
gc.collect()
"""


def test_a_process_that_keeps_only_an_instrument_pushes_its_counts() -> None:
    with Receiver() as receiver:
        finished = run_python(KEEPS_ONLY_AN_INSTRUMENT, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint)
        assert finished.stderr == ""
        values = {name: point.value for (_, name, _, _), point in receiver.series().items()}
        assert values["jobs"] == 3
