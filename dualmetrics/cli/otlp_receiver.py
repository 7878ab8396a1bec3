"""An OTLP receiver for metrics: real gRPC and HTTP servers on the official protobuf stubs."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from dualmetrics.cli.otlp_points import PointAttributes, ReceivedPoint, SeriesKey, read_points

_DECOMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class ReceivedRequest(NamedTuple):
    """One request that arrived: when (seconds since the epoch), its headers in lower case, its message."""

    at: float
    headers: Mapping[str, str]
    message: ExportMetricsServiceRequest


class Receiver:
    """Receives on two loopback ports, free ones unless given. A context manager.

    ``on_request`` is called with each request, in the thread that serves it. Raises OSError if a port is
    taken.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        on_request: Callable[[ReceivedRequest], None] = lambda delivered: None,
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self._on_request = on_request
        self._series: dict[SeriesKey, ReceivedPoint] = {}
        self._arrived = threading.Condition()
        self._http = _HttpServer((host, http_port), _handler(self.take))
        self._pool = ThreadPoolExecutor(4)
        self._grpc = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        add = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
        add(_Service(self.take), self._grpc)  # type: ignore[no-untyped-call]  # generated, without types
        try:
            port = self._grpc.add_insecure_port(f"{host}:{grpc_port}")
        except RuntimeError as error:
            self._http.server_close()
            raise OSError(f"gRPC port {grpc_port} of {host} is taken") from error
        self.grpc_endpoint = f"http://{host}:{port}"
        self.http_endpoint = f"http://{host}:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Receiver:  # noqa: PYI034  # Self needs Python 3.11
        self._grpc.start()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End both servers, in about a tenth of a second."""
        self._grpc.stop(grace=0.1).wait()
        self._pool.shutdown()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def take(self, headers: Mapping[str, str], message: ExportMetricsServiceRequest) -> None:
        """Note one request."""
        delivered = ReceivedRequest(time.time(), headers, message)
        with self._arrived:
            self.requests.append(delivered)
            for key, received in read_points(message):
                self._series[key] = received.added_to(self._series.get(key))
            self._arrived.notify_all()
        self._on_request(delivered)

    def series(self) -> dict[SeriesKey, ReceivedPoint]:
        """The latest value of each series; of deltas, what they add up to."""
        with self._arrived:
            return dict(self._series)

    def one(self, service: str, name: str, attributes: PointAttributes = ()) -> ReceivedPoint:
        """The series of this name, whatever its scope. Raises ValueError unless there is exactly one."""
        (found,) = (each for key, each in self.series().items() if key[:3] == (service, name, attributes))
        return found

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``predicate()`` holds, asking at each arrival; False after ``timeout`` seconds."""
        with self._arrived:
            return self._arrived.wait_for(predicate, timeout)


Take = Callable[[Mapping[str, str], ExportMetricsServiceRequest], None]


class _Service(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, take: Take) -> None:
        self._take = take

    def Export(  # noqa: N802  # the name in the protocol
        self, request: ExportMetricsServiceRequest, context: Any
    ) -> ExportMetricsServiceResponse:
        headers = {str(key).lower(): str(value) for key, value in context.invocation_metadata()}
        self._take(headers, request)
        return ExportMetricsServiceResponse()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False


def _handler(take: Take) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30  # seconds that a silent client may hold a thread

        def do_POST(self) -> None:
            if self.path != "/v1/metrics":
                return self._answer(404)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            try:
                plain = _DECOMPRESS[headers.get("content-encoding", "")](body)
                message = ExportMetricsServiceRequest.FromString(plain)
            except (KeyError, OSError, EOFError, zlib.error, DecodeError):
                return self._answer(400)
            take(headers, message)
            self._answer(200)

        def _answer(self, status: int) -> None:
            body = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Say nothing of each request; who wants to know has ``on_request``."""

    return Handler
