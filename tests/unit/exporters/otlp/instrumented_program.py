"""A program whose HTTP or gRPC client is instrumented: ``INSTRUMENTATION PROTOCOL ENDPOINT WAY``.

It counts, and observes a summary, which goes over a gRPC connection of its own. It prints the spans of its
clients as the last thing that it does.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
from typing import Any

import grpc
import requests
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import Summary

INSTRUMENTORS: dict[str, Any] = {
    "requests": RequestsInstrumentor,
    "urllib3": URLLib3Instrumentor,
    "grpc": GrpcInstrumentorClient,
}


def call(endpoint: str, protocol: str) -> None:
    """Call the receiver as an app calls its peers, which the instrumentation has to see."""
    if protocol == "grpc":
        target = endpoint.removeprefix("http://")
        # The receiver has no such method.
        with grpc.insecure_channel(target) as channel, contextlib.suppress(grpc.RpcError):
            channel.unary_unary("/shop/Order", bytes, bytes)(b"", timeout=5)
    else:
        requests.get(f"{endpoint}/order", timeout=5)


def main(instrumentation: str, protocol: str, endpoint: str, way: str) -> None:
    """Record, call the receiver once, and push in the way that is asked for."""
    spans = InMemorySpanExporter()
    # Registered first, so that it runs after the last push.
    atexit.register(lambda: sys.stdout.write(" ".join(span.name for span in spans.get_finished_spans())))
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    INSTRUMENTORS[instrumentation]().instrument()
    import dualmetrics  # after the instrumentation, as under opentelemetry-instrument

    interval = 200 if way == "periodic" else 60_000
    telemetry = dualmetrics.configure(
        service_name="shop",
        endpoint=endpoint,
        protocol=protocol,
        export_interval=interval,
        registries="default",
    )
    telemetry.meter("app").create_counter("orders").add(1)
    Summary("sizes", "Sizes of orders.").observe(3)
    call(endpoint, protocol)
    if way == "force_flush":
        assert telemetry.force_flush()
    elif way == "shutdown":
        assert telemetry.shutdown()
    elif way == "periodic":
        sys.stdin.readline()  # until enough was pushed


if __name__ == "__main__":
    main(*sys.argv[1:])
