"""An OTLP receiver for metrics: real gRPC and HTTP servers on the official protobuf classes."""

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
    """One request: when it arrived (seconds since the epoch), its headers in lower case, and its message."""

    at: float
    headers: Mapping[str, str]
    message: ExportMetricsServiceRequest


class Receiver:
    """Receives metrics on two ports. Port 0 chooses a free one. Used as a context manager.

    ``on_request`` is called with each request, in the thread that serves it. Raises OSError if a port is
    taken.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        on_request: Callable[[ReceivedRequest], None] = lambda request: None,
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self._on_request = on_request
        self._series: dict[SeriesKey, ReceivedPoint] = {}
        self._arrived = threading.Condition()
        self._http = _HttpServer((host, http_port), _http_handler(self.take))
        self._pool = ThreadPoolExecutor(4)
        self._grpc = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        self.grpc_endpoint = f"http://{host}:{self._add_grpc_port(host, grpc_port)}"
        self.http_endpoint = f"http://{host}:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    def _add_grpc_port(self, host: str, port: int) -> int:
        add_servicer = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
        add_servicer(_GrpcService(self.take), self._grpc)  # type: ignore[no-untyped-call]  # generated, without types
        try:
            return self._grpc.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            self._http.server_close()
            raise OSError(f"gRPC port {port} of {host} is taken") from error

    def __enter__(self) -> Receiver:  # noqa: PYI034  # Self needs Python 3.11
        self._grpc.start()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop both servers, which takes about a tenth of a second."""
        self._grpc.stop(grace=0.1).wait()
        self._pool.shutdown()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def take(self, headers: Mapping[str, str], message: ExportMetricsServiceRequest) -> None:
        """Store one request."""
        request = ReceivedRequest(time.time(), headers, message)
        with self._arrived:
            self.requests.append(request)
            for key, point in read_points(message):
                self._series[key] = point.added_to(self._series.get(key))
            self._arrived.notify_all()
        self._on_request(request)

    def series(self) -> dict[SeriesKey, ReceivedPoint]:
        """Return the latest value of each series. Deltas are added up."""
        with self._arrived:
            return dict(self._series)

    def one(self, service: str, name: str, attributes: PointAttributes = ()) -> ReceivedPoint:
        """Return the series of this name, in any scope. Raises ValueError unless there is exactly one."""
        prefix = (service, name, attributes)
        (point,) = (point for key, point in self.series().items() if key[:3] == prefix)
        return point

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``predicate()`` is true. Returns False after ``timeout`` seconds."""
        with self._arrived:
            return self._arrived.wait_for(predicate, timeout)


_Take = Callable[[Mapping[str, str], ExportMetricsServiceRequest], None]


class _GrpcService(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, take: _Take) -> None:
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


def _http_handler(take: _Take) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30  # seconds that a silent client may occupy a thread

        def do_POST(self) -> None:
            if self.path != "/v1/metrics":
                return self._answer(404)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            try:
                message = _decode(body, headers.get("content-encoding", ""))
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
            """Log nothing. `Receiver` calls ``on_request`` instead."""

    return Handler


def _decode(body: bytes, encoding: str) -> ExportMetricsServiceRequest:
    """Decompress and parse a body. Raises KeyError if the encoding is not supported."""
    return ExportMetricsServiceRequest.FromString(_DECOMPRESS[encoding](body))
