"""An OTLP receiver for tests: gRPC and HTTP on loopback, with the official stubs and scripted responses."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as stubs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

DECODE: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class Received:
    """The received requests, and the response to them.

    It responds with ``status`` over HTTP or ``code`` over gRPC, as soon as ``hold`` is set.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.requests: list[ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200
        self.code: grpc.StatusCode | None = None
        self.detail = "scripted"
        self.response = ExportMetricsServiceResponse()
        self.hold = threading.Event()
        self.hold.set()

    def scopes(self) -> list[Any]:
        """The scopes with their metrics from all requests."""
        return [
            scope
            for request in self.requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
        ]

    def metric(self, name: str) -> Any:
        """The first metric with this name."""
        return next(metric for scope in self.scopes() for metric in scope.metrics if metric.name == name)


class _Grpc(stubs.MetricsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: ExportMetricsServiceRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the stub's
        received = self._received
        received.headers.append({key: str(value) for key, value in context.invocation_metadata()})
        received.hold.wait(30)
        if received.code is not None:
            context.abort(received.code, received.detail)
        received.requests.append(request)
        return received.response


def _handler(received: Received) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.headers.append({key.lower(): value for key, value in self.headers.items()})
            received.paths.append(self.path)
            received.hold.wait(30)
            if received.status == 200:
                plain = DECODE[self.headers.get("Content-Encoding")](body)
                received.requests.append(ExportMetricsServiceRequest.FromString(plain))
            body = received.response.SerializeToString()
            self.send_response(received.status, received.detail)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Log nothing."""

    return Handler


@contextmanager
def http_receiver() -> Iterator[Received]:
    """A Collector that speaks OTLP/HTTP; ``endpoint`` is its base URL."""
    received = Received()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(received))
    received.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield received
    finally:
        received.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_receiver() -> Iterator[Received]:
    """A Collector that speaks OTLP/gRPC."""
    received = Received()
    server = grpc.server(ThreadPoolExecutor(4))
    add = stubs.add_MetricsServiceServicer_to_server
    add(_Grpc(received), server)  # type: ignore[no-untyped-call]  # generated without types
    received.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield received
    finally:
        received.hold.set()
        server.stop(0).wait()
