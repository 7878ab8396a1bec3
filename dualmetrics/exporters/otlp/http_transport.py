"""OTLP over HTTP: the official exporter sends messages that were encoded here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualmetrics.exporters.otlp.encoder import OtlpEncoder
from dualmetrics.exporters.otlp.endpoint import Endpoint
from dualmetrics.exporters.otlp.http_responses import Responses
from dualmetrics.exporters.otlp.log_capture import build_quietly
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.exporters.otlp.transport import Transport

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.metrics.export import MetricExporter


def http_transport(endpoint: Endpoint, is_delta: IsDelta) -> Transport:
    """The official exporter, with a session that replaces the bodies of its requests."""
    from dualmetrics.exporters.otlp.packed_session import PackedSession  # loads requests, which is slow

    responses = Responses()
    session = PackedSession(OtlpEncoder(is_delta), responses, endpoint.lower_case_headers)
    exporter = build_quietly(lambda: _http_exporter(endpoint, session))
    if endpoint.tls is not None:
        certificate, key, client_certificate = endpoint.tls
        session.verify = certificate or True
        session.cert = (client_certificate, key) if client_certificate and key else client_certificate
    return Transport(exporter, session.messages, responses)


def _http_exporter(endpoint: Endpoint, session: requests.Session) -> MetricExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    # The exporter appends the path to the URL in its variable, but not to its argument.
    url = endpoint.url if endpoint.is_signal else endpoint.url.rstrip("/") + "/v1/metrics"
    return OTLPMetricExporter(
        endpoint=url,
        headers=endpoint.lower_case_headers,
        timeout=endpoint.timeout,
        compression=None if endpoint.compression is None else Compression(endpoint.compression),
        session=session,
    )
