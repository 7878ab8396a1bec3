"""OpenTelemetry's instrumentations of HTTP and gRPC clients see the calls of the app, and no push."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.exporters.otlp import instrumented_program
from tests.unit.exporters.otlp.receiver import Received, grpc_receiver, http_receiver
from tests.waiting import wait_until

CLIENTS = [
    ("requests", "http/protobuf", "GET", "http.client.duration"),
    ("urllib3", "http/protobuf", "GET", "http.client.duration"),
    ("grpc", "grpc", "/shop/Order", ""),
]
"""Instrumentations, the protocol that they see, and the span and the metric of the app's own call."""


def run(received: Received, instrumentation: str, protocol: str, way: str) -> list[str]:
    """Run the program until three pushes have arrived, or to its end. Return its spans."""
    command = [sys.executable, "-W", "error", instrumented_program.__file__]
    with subprocess.Popen(
        [*command, instrumentation, protocol, received.endpoint, way],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if way == "periodic":
                wait_until(lambda: len(received.requests) >= 3 or process.poll(), 30, "three pushes")
            printed, _ = process.communicate("\n", timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    return printed.split()


def counts(received: Received, name: str) -> set[int]:
    """How many calls the metric counts in each push that has it."""
    return {
        sum(point.count for point in metric.histogram.data_points)
        for scope in received.scopes()
        for metric in scope.metrics
        if metric.name == name
    }


@pytest.mark.parametrize(("instrumentation", "protocol", "span", "metric"), CLIENTS)
@pytest.mark.parametrize("way", ["periodic", "force_flush", "shutdown", "exit"])
def test_a_push_makes_no_span_counts_in_no_metric_and_carries_no_trace(
    instrumentation: str, protocol: str, span: str, metric: str, way: str
) -> None:
    receiver = grpc_receiver if protocol == "grpc" else http_receiver
    with receiver() as received:
        assert run(received, instrumentation, protocol, way) == [span]
        assert len(received.requests) >= (3 if way == "periodic" else 1)
        assert received.metric("sizes").HasField("summary")
        assert not any("traceparent" in headers for headers in received.headers)
        assert counts(received, metric) == ({1} if metric else set())
