"""Handing snapshots to an official exporter: as the objects that it encodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricsData

from dualmetrics.exporters.otlp.batching import batches
from dualmetrics.exporters.otlp.sdk_model import to_metrics_data
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.model.snapshot import Snapshot

if TYPE_CHECKING:
    from dualmetrics.exporters.otlp.grpc_transport import SummaryClient

Messages = Callable[[Snapshot], Iterator[MetricsData]]
"""Gives what an exporter gets to send a snapshot, one message after the other."""


def objects(is_delta: IsDelta, beside: SummaryClient | None = None) -> Messages:
    """For gRPC and the console; over gRPC ``beside`` sends what the exporter cannot."""

    def messages(snapshot: Snapshot) -> Iterator[MetricsData]:
        for batch in batches(snapshot):
            if beside is not None:
                beside.take(batch)
            yield to_metrics_data(batch, is_delta)

    return messages
