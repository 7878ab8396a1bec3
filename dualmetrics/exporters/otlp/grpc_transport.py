"""Sending beside the official exporter over gRPC what it cannot encode: summaries."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Snapshot

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from dualmetrics.exporters.otlp.endpoint import Endpoint


class SummaryClient:
    """Calls of its own, on a connection that is made at the first one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._export: Callable[..., Any] | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Send the summaries of a snapshot, if it has any. Raises grpc.RpcError."""
        message = _summaries(snapshot)
        if message is None:
            return
        if self._export is None:
            self._export = _connected(self._endpoint)
        metadata = tuple((name.lower(), value) for name, value in (self._endpoint.headers or {}).items())
        self._export(message, metadata=metadata, timeout=self._endpoint.timeout)


def _summaries(snapshot: Snapshot) -> ExportMetricsServiceRequest | None:
    if all(family.descriptor.kind is not Kind.SUMMARY for family in snapshot.families):
        return None
    from dualmetrics.exporters.otlp.summaries import encoded  # few have any, and it loads protobuf

    return encoded(snapshot)


def _connected(endpoint: Endpoint) -> Callable[..., Any]:
    import grpc
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub

    url = urlsplit(endpoint.url)
    place = url.netloc or endpoint.url
    compression = grpc.Compression.Gzip if endpoint.compression == "gzip" else grpc.Compression.NoCompression
    if url.scheme == "http" or (url.scheme != "https" and endpoint.insecure):
        channel = grpc.insecure_channel(place, compression=compression)
    else:
        channel = grpc.secure_channel(place, _credentials(), compression=compression)
    export: Callable[..., Any] = MetricsServiceStub(channel).Export  # type: ignore[no-untyped-call]  # generated
    return export


def _credentials() -> Any:
    """From the files that the official exporter reads."""
    import grpc

    return grpc.ssl_channel_credentials(
        root_certificates=_file("CERTIFICATE"),
        private_key=_file("CLIENT_KEY"),
        certificate_chain=_file("CLIENT_CERTIFICATE"),
    )


def _file(name: str) -> bytes | None:
    for variable in (f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        path = os.environ.get(variable)
        if path:
            with open(path, "rb") as file:
                return file.read()
    return None
