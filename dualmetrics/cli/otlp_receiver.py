"""An OTLP receiver for metrics: real gRPC and HTTP servers on the official protobuf classes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from dualmetrics.cli.listening import Address, PortError
from dualmetrics.cli.otlp_http import OtlpHttpServer, Take
from dualmetrics.cli.otlp_points import PointAttributes, ReceivedPoint, SeriesKey, read_points

KEPT_REQUESTS = 1000
"""A `Receiver` keeps so many of the latest requests."""
GRPC_THREADS = 4


class ReceivedRequest(NamedTuple):
    """One request: when it arrived (seconds since the epoch), its headers in lower case, and its message."""

    at: float
    headers: Mapping[str, str]
    message: ExportMetricsServiceRequest
    protocol: str
    """"gRPC" or "HTTP"."""


ServerT = TypeVar("ServerT", bound="OtlpServer")
OnRequest = Callable[[ReceivedRequest], None]


class OtlpServer:
    """Receives metrics on two ports, and keeps nothing. Port 0 chooses a free one. Used as a context manager.

    ``on_request`` is called with each request, and ``on_refusal`` with a sentence for each request that is
    refused, both in the thread that serves it. Raises OSError if the host is unknown, and `PortError` if a
    port is taken.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        on_request: OnRequest = lambda request: None,
        on_refusal: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._on_request = on_request
        address = Address.find(host)
        self._http = self._make_http_server(address, http_port, on_refusal)
        self._pool = ThreadPoolExecutor(GRPC_THREADS)
        self._grpc = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        self.grpc_endpoint = f"http://{address.with_port(self._add_grpc_port(address, grpc_port))}"
        self.http_endpoint = f"http://{address.with_port(self._http.server_address[1])}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    def _make_http_server(
        self, address: Address, port: int, on_refusal: Callable[[str], None]
    ) -> OtlpHttpServer:
        try:
            return OtlpHttpServer(address.family, (address.host, port), self._take_http, on_refusal)
        except OSError as error:
            raise PortError(error, address.host, port, "HTTP") from error

    def _add_grpc_port(self, address: Address, port: int) -> int:
        add_servicer = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
        add_servicer(_GrpcService(self._take_grpc), self._grpc)  # type: ignore[no-untyped-call]  # generated, without types
        try:
            address.check_port(port)  # because grpc does not say what is wrong
            return self._grpc.add_insecure_port(address.with_port(port))
        except (OSError, RuntimeError) as error:
            self._http.server_close()
            reason = error if isinstance(error, OSError) else OSError(str(error))
            raise PortError(reason, address.host, port, "gRPC") from error

    def __enter__(self: ServerT) -> ServerT:  # noqa: PYI019  # Self needs Python 3.11
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

    def _take_grpc(self, headers: Mapping[str, str], message: ExportMetricsServiceRequest) -> None:
        self.take(ReceivedRequest(time.time(), headers, message, "gRPC"))

    def _take_http(self, headers: Mapping[str, str], message: ExportMetricsServiceRequest) -> None:
        self.take(ReceivedRequest(time.time(), headers, message, "HTTP"))

    def take(self, request: ReceivedRequest) -> None:
        """Hand one request on."""
        self._on_request(request)


class Receiver(OtlpServer):
    """Keeps the latest requests, and the latest value of each series."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        on_request: OnRequest = lambda request: None,
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self._series: dict[SeriesKey, ReceivedPoint] = {}
        self._arrived = threading.Condition()
        super().__init__(host, grpc_port, http_port, on_request)

    def take(self, request: ReceivedRequest) -> None:
        """Store one request."""
        with self._arrived:
            self.requests.append(request)
            del self.requests[:-KEPT_REQUESTS]
            for key, point in read_points(request.message):
                self._series[key] = point.added_to(self._series.get(key))
            self._arrived.notify_all()
        super().take(request)

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


class _GrpcService(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, take: Take) -> None:
        self._take = take

    def Export(  # noqa: N802  # the name in the protocol
        self, request: ExportMetricsServiceRequest, context: Any
    ) -> ExportMetricsServiceResponse:
        headers = {str(key).lower(): str(value) for key, value in context.invocation_metadata()}
        self._take(headers, request)
        return ExportMetricsServiceResponse()
