"""What carries snapshots to their destination: an official exporter and its input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dualmetrics.exporters.otlp.result import ResponseSummary
from dualmetrics.model.snapshot import Snapshot

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

Messages = Callable[[Snapshot], "Iterator[MetricsData]"]
"""Gives the exporter's input for a snapshot, one message at a time."""


class Transport(NamedTuple):
    """An official exporter, the messages to give it, and the summary of the responses that it gets.

    ``close`` closes the connections that are not the exporter's own.
    """

    exporter: MetricExporter
    messages: Messages
    responses: ResponseSummary
    close: Callable[[], None] = lambda: None
