"""OTLP over gRPC.

A partial success cannot be reported here: channel and stub are private to the official exporter, which takes
no interceptors and drops the response.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dualmetrics.exporters.otlp.batching import sdk_messages
from dualmetrics.exporters.otlp.endpoint import Endpoint
from dualmetrics.exporters.otlp.result import ResponseSummary
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.exporters.otlp.transport import Transport
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Snapshot

if TYPE_CHECKING:
    import grpc
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.sdk.metrics.export import MetricExporter


def grpc_transport(endpoint: Endpoint, is_delta: IsDelta) -> Transport:
    """The official exporter, which encodes everything but summaries."""
    summaries = SummaryClient(endpoint)
    messages = sdk_messages(is_delta, summaries.send)
    return Transport(_grpc_exporter(endpoint), messages, ResponseSummary(), summaries.shutdown)


def _grpc_exporter(endpoint: Endpoint) -> MetricExporter:
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    # The exporter does not accept the word none, which the specification allows.
    compressions = {None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}
    return OTLPMetricExporter(
        endpoint=endpoint.url,
        insecure=endpoint.insecure,
        headers=endpoint.lower_case_headers,
        timeout=endpoint.timeout,
        compression=compressions[endpoint.compression],
    )


class SummaryClient:
    """Sends summaries, which the official exporter cannot encode, over a connection of its own.

    The connection is made when the first summary is sent.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel: grpc.Channel | None = None

    def send(self, snapshot: Snapshot) -> None:
        """Send the summaries of a snapshot, if it has any. Raises grpc.RpcError."""
        message = _summaries(snapshot)
        if message is None:
            return
        if self._channel is None:
            self._channel = _connect(self._endpoint)
        metadata = tuple((self._endpoint.lower_case_headers or {}).items())
        _export(self._channel)(message, metadata=metadata, timeout=self._endpoint.timeout)

    def shutdown(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            self._channel.close()


def _summaries(snapshot: Snapshot) -> ExportMetricsServiceRequest | None:
    if all(family.descriptor.kind is not Kind.SUMMARY for family in snapshot.families):
        return None
    from dualmetrics.exporters.otlp.summaries import encode_summaries  # rarely needed, and loads protobuf

    return encode_summaries(snapshot)


def _export(channel: grpc.Channel) -> Callable[..., Any]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub

    export: Callable[..., Any] = MetricsServiceStub(channel).Export  # type: ignore[no-untyped-call]  # generated
    return export


def _connect(endpoint: Endpoint) -> grpc.Channel:
    import grpc

    url = urlsplit(endpoint.url)
    address = url.netloc or endpoint.url
    compression = grpc.Compression.Gzip if endpoint.compression == "gzip" else grpc.Compression.NoCompression
    if url.scheme == "http" or (url.scheme != "https" and endpoint.insecure):
        return grpc.insecure_channel(address, compression=compression)
    return grpc.secure_channel(address, _credentials(), compression=compression)


def _credentials() -> Any:
    """The credentials in the files that the official exporter reads."""
    import grpc

    return grpc.ssl_channel_credentials(
        root_certificates=_read_file("CERTIFICATE"),
        private_key=_read_file("CLIENT_KEY"),
        certificate_chain=_read_file("CLIENT_CERTIFICATE"),
    )


def _read_file(name: str) -> bytes | None:
    for variable in (f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        path = os.environ.get(variable)
        if path:
            with open(path, "rb") as file:
                return file.read()
    return None
