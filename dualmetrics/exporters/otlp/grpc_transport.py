"""OTLP over gRPC.

A partial success cannot be reported here: channel and stub are private to the official exporter, which takes
no interceptors and drops the response.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dualmetrics.exporters.otlp.batching import sdk_messages
from dualmetrics.exporters.otlp.endpoint import Endpoint, TlsFiles
from dualmetrics.exporters.otlp.log_capture import build_quietly
from dualmetrics.exporters.otlp.result import ResponseSummary
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.exporters.otlp.transport import Transport
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Snapshot

if TYPE_CHECKING:
    import grpc
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.sdk.metrics.export import MetricExporter


_METRICS_TIMEOUT = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"

_NO_HEADERS = ","
"""A list without items: the exporter reads its variables if it gets nothing."""

_RETRYABLE = ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS")
"""What OTLP allows to retry, but RESOURCE_EXHAUSTED: a message that is too large stays too large. Where it
means that a quota is used up, the next push carries everything too.
"""

_TOO_LARGE = re.compile(
    r"(RESOURCE_EXHAUSTED|OUT_OF_RANGE).*(larger than max|exceeds maximum size|message length too large)",
    re.IGNORECASE | re.DOTALL,
)
"""How the servers of gRPC's libraries say that a message is too large."""


def grpc_transport(endpoint: Endpoint, is_delta: IsDelta) -> Transport:
    """The official exporter, which encodes everything but summaries."""
    responses = GrpcResponses()
    summaries = SummaryClient(endpoint, responses)
    messages = sdk_messages(is_delta, summaries.send, responses)
    exporter = build_quietly(lambda: _grpc_exporter(endpoint))
    return Transport(exporter, messages, responses, summaries.shutdown)


def remove_unusable_timeout() -> None:
    """Remove OTEL_EXPORTER_OTLP_METRICS_TIMEOUT from the environment if it is no number.

    The official exporter reads it in any case, and fails at such a value, even at an empty one. Call this
    while the app is built, as the environment should not change under other threads.
    """
    try:
        float(os.environ.get(_METRICS_TIMEOUT, "10"))
    except ValueError:
        del os.environ[_METRICS_TIMEOUT]


def _grpc_exporter(endpoint: Endpoint) -> MetricExporter:
    from grpc import Compression, StatusCode
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    # The exporter does not accept the word none, which the specification allows.
    compressions = {None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}
    headers = endpoint.lower_case_headers
    return OTLPMetricExporter(
        endpoint=endpoint.url,
        insecure=_is_insecure(endpoint),
        headers=headers if headers or headers is None else _NO_HEADERS,
        credentials=_given_credentials(endpoint.tls),
        timeout=endpoint.timeout,
        compression=compressions[endpoint.compression],
        retryable_error_codes=[StatusCode[name] for name in _RETRYABLE],
    )


def _is_insecure(endpoint: Endpoint) -> bool | None:
    """Whether TLS is off. A scheme decides, else the option (specification, *OTLP exporter*, "Insecure")."""
    return {"http": True, "https": False}.get(urlsplit(endpoint.url).scheme, endpoint.insecure)


class GrpcResponses(ResponseSummary):
    """Finds messages that were too large in the log: the official exporter drops the status."""

    def read_log(self, lines: Sequence[str]) -> None:
        """Look at the last line, which says why the message was given up."""
        self.too_large = bool(lines) and _is_too_large(lines[-1])


def _is_too_large(text: str) -> bool:
    return _TOO_LARGE.search(text) is not None


class SummaryClient:
    """Sends summaries, which the official exporter cannot encode, over a connection of its own.

    The connection is made when the first summary is sent.
    """

    def __init__(self, endpoint: Endpoint, responses: ResponseSummary | None = None) -> None:
        self._endpoint = endpoint
        self._responses = responses or ResponseSummary()
        self._channel: grpc.Channel | None = None

    def send(self, snapshot: Snapshot) -> None:
        """Send the summaries of a snapshot, if it has any. Raises grpc.RpcError.

        If they are too large for one message, the summary of the responses says so.
        """
        import grpc

        message = _summaries(snapshot)
        if message is None:
            return
        if self._channel is None:
            self._channel = _connect(self._endpoint)
        metadata = tuple((self._endpoint.lower_case_headers or {}).items())
        try:
            _export(self._channel)(message, metadata=metadata, timeout=self._endpoint.timeout)
        except grpc.RpcError as error:
            self._responses.too_large = _is_too_large(str(error))
            if not self._responses.too_large:
                raise

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

    address = urlsplit(endpoint.url).netloc or endpoint.url
    compression = grpc.Compression.Gzip if endpoint.compression == "gzip" else grpc.Compression.NoCompression
    if _is_insecure(endpoint):
        return grpc.insecure_channel(address, compression=compression)
    return grpc.secure_channel(address, _credentials(endpoint.tls or TlsFiles()), compression=compression)


def _credentials(tls: TlsFiles) -> Any:
    """The credentials in these files; without any, those of the system."""
    import grpc

    certificate, key, client_certificate = map(_read_file, tls)
    return grpc.ssl_channel_credentials(certificate, key, client_certificate)


def _given_credentials(tls: TlsFiles | None) -> Any:
    """The credentials in these files; None lets the exporter read its variables, or ask its provider."""
    return _credentials(tls) if tls is not None and (any(tls) or _has_ignored_files()) else None


def _has_ignored_files() -> bool:
    """Whether a variable names a file, which the settings have then ignored: the exporter may fail at it."""
    return any(
        os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}{name.upper()}")
        for signal in ("METRICS_", "")
        for name in TlsFiles._fields
    )


def _read_file(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()
