"""The settings of a server that pushes to a receiver, and the totals that the receiver got."""

from __future__ import annotations

from dualmetrics.cli.otlp_receiver import Receiver


def push_settings(receiver: Receiver, interval: int = 300) -> dict[str, str]:
    """The environment of a server that pushes over HTTP, every ``interval`` milliseconds."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": str(interval),
    }


def pushed_total(receiver: Receiver, name: str, **attributes: str) -> float:
    """Add up the latest values that were received of a metric, of all series with these attributes."""
    expected = set(attributes.items())
    return sum(
        value.value
        for (_, metric, pairs, _), value in receiver.series().items()
        if metric == name and expected <= set(pairs)
    )
