"""The names of OTLP exporters in OTEL_METRICS_EXPORTER that also say a protocol."""

from __future__ import annotations

from dualmetrics.config.options import Given, Warn

OTLP_EXPORTERS = {"otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}
"""The protocols by the names that OpenTelemetry's SDK for Python gives its exporters."""


def read_exporter_names(given: dict[str, Given], warn: Warn) -> None:
    """Replace these names by ``otlp``, and use the protocol that they say.

    As in OpenTelemetry's SDK, the name wins over the variable of the protocol. An argument wins over both.
    """
    exporters, protocol = given.get("metrics_exporter"), given.get("protocol")
    named = (
        {OTLP_EXPORTERS[name] for name in exporters.value if name in OTLP_EXPORTERS} if exporters else None
    )
    if exporters is None or not named:
        return
    names = frozenset("otlp" if name in OTLP_EXPORTERS else name for name in exporters.value)
    given["metrics_exporter"] = exporters._replace(value=names)
    if len(named) > 1:
        warn(
            "dualmetrics: %s names two OTLP protocols, but there is one push. It uses %s. Name one of them",
            exporters.source,
            protocol.value if protocol else "the protocol that fits the port",
        )
    elif protocol is None or protocol.from_opentelemetry:
        if protocol is not None and protocol.value not in named:
            warn("dualmetrics: %s wins over %s. Remove one of them", exporters.source, protocol.source)
        given["protocol"] = Given(named.pop(), exporters.source)
