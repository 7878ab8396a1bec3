"""The official OTLP exporters, imported when needed: it is slow, and gRPC's threads do not survive a fork."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

    from dualmetrics.exporters.otlp.http_transport import BodySwap


class Endpoint(NamedTuple):
    """Where to, and how. What is None here the exporters read from their own variables.

    ``url`` is a base, to which HTTP adds ``/v1/metrics``, unless ``is_signal``. ``timeout`` is in seconds,
    for each message with all its retries. ``compression`` is none, gzip or, over HTTP, deflate.
    """

    url: str
    is_signal: bool = False
    headers: Mapping[str, str] | None = None
    timeout: float | None = None
    compression: str | None = None
    insecure: bool | None = None


def grpc_exporter(endpoint: Endpoint) -> MetricExporter:
    """The official exporter over gRPC."""
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    # The exporter itself refuses the word none, which the specification allows.
    compressions = {None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}
    return OTLPMetricExporter(
        endpoint=endpoint.url,
        insecure=endpoint.insecure,
        headers=_lower(endpoint.headers),
        timeout=endpoint.timeout,
        compression=compressions[endpoint.compression],
    )


class Watcher(Protocol):
    """Who wants to know what became of each HTTP request."""

    def take(self, response: Any) -> None:
        """There was this `requests.Response`."""

    def failed(self, error: Exception) -> None:
        """There was none."""


def http_exporter(endpoint: Endpoint, watcher: Watcher, bodies: BodySwap) -> MetricExporter:
    """The official exporter over HTTP; its requests get their bodies from ``bodies``."""
    import requests
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    class Session(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            # Said here, the exporter's certificate wins over the one of REQUESTS_CA_BUNDLE.
            kwargs.setdefault("verify", self.verify)
            headers = {**self.headers, **(kwargs.get("headers") or {})}
            kwargs["data"] = bodies.body(kwargs["data"], str(headers.get("Content-Encoding", "")))
            try:
                response = super().request(*args, **kwargs)
            except requests.RequestException as error:
                watcher.failed(error)
                raise
            watcher.take(response)
            return response

    # The exporter completes the base URL of its variable, but takes its argument as it is.
    url = endpoint.url if endpoint.is_signal else endpoint.url.rstrip("/") + "/v1/metrics"
    return OTLPMetricExporter(
        endpoint=url,
        headers=_lower(endpoint.headers),
        timeout=endpoint.timeout,
        compression=None if endpoint.compression is None else Compression(endpoint.compression),
        session=Session(),
    )


def _lower(headers: Mapping[str, str] | None) -> dict[str, str] | None:
    """Header names as gRPC demands them; to HTTP their case is one."""
    return None if headers is None else {name.lower(): value for name, value in headers.items()}
