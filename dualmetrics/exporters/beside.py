"""Sending beside the official exporters what these cannot encode."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from dualmetrics.snapshot import Kind, Snapshot

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from dualmetrics.exporters.official import Endpoint

_CODINGS: Mapping[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.decompress, gzip.compress),
    "deflate": (zlib.decompress, zlib.compress),
}


class Beside(Protocol):
    """Takes what of a snapshot is to go with the exporter's next message. May raise what sending raises."""

    def take(self, snapshot: Snapshot) -> None: ...


class InTheSameRequest:
    """Over HTTP: joined to the next body. Messages of protobuf are joined by joining their bytes."""

    def __init__(self) -> None:
        self._more = b""

    def take(self, snapshot: Snapshot) -> None:
        """See `Beside`."""
        message = _summaries(snapshot)
        self._more = message.SerializeToString() if message else b""

    def joined(self, body: bytes, coding: str) -> bytes:
        """A request's body with what is to go along; ``coding`` is its Content-Encoding."""
        if not self._more:
            return body
        unpack, pack = _CODINGS.get(coding, (bytes, bytes))
        return pack(unpack(body) + self._more)


class ByItself:
    """Over gRPC: in a call of its own, on a connection that is made at the first one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._export: Callable[..., Any] | None = None

    def take(self, snapshot: Snapshot) -> None:
        """See `Beside`. Raises grpc.RpcError."""
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
    from dualmetrics.exporters.summaries import encoded  # few have any, and it loads protobuf

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
