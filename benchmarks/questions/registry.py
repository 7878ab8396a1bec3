"""What a bridged registry of prometheus_client costs the processor, beside its own page."""

from __future__ import annotations

from typing import Any

from benchmarks.clock import mean
from benchmarks.question import Contestant, Effort, Measure, Question, Values

METRICS = 10


def filled(count: int) -> tuple[Any, list[Any]]:
    """A registry of counters with so many series, and the series."""
    from prometheus_client import CollectorRegistry, Counter

    registry = CollectorRegistry()
    series = [
        made.labels(f"/route/{number}", "200")
        for made in (Counter(f"c{at}", "", ["route", "code"], registry=registry) for at in range(METRICS))
        for number in range(max(1, count // METRICS))
    ]
    return registry, series


def touch(series: list[Any]) -> None:
    """Change all of them."""
    for each in series:
        each.inc()


def ours(count: int) -> Measure:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    from dualmetrics import Telemetry
    from dualmetrics.exporters.otlp import to_metrics_data

    registry, series = filled(count)
    telemetry = Telemetry(registries=[registry], metrics_exporter="prometheus")
    telemetry.render()

    def measure(amount: int) -> Values:
        return {
            "page": mean(telemetry.render, amount, lambda: touch(series)),
            "to bytes": mean(
                lambda: encode_metrics(to_metrics_data(telemetry.snapshot())).SerializeToString(),
                amount,
                lambda: touch(series),
            ),
        }

    return measure


def prometheus_client(count: int) -> Measure:
    from prometheus_client import generate_latest

    registry, series = filled(count)
    return lambda amount: {"page": mean(lambda: generate_latest(registry), amount, lambda: touch(series))}


QUESTION = Question(
    "registry",
    "A registry of counters, bridged, all changed: page and push, reading included",
    "ms",
    (
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",)),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 5, 1, (1000, 10_000)),
        "full": Effort(3, 7, 1, (1000, 10_000)),
    },
    case="series",
    floor="prometheus_client",
)
