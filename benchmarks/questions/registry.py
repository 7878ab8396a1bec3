"""CPU time of a bridged registry of prometheus_client, compared with the registry's own page."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.timing import cpu_milliseconds

METRICS = 10

LINES = {"counters": 1, "histograms": 17}
"""Lines on the page per series; a histogram has prometheus_client's own bounds."""

LABELS = ["route", "code"]


def filled_registry(kind: str, lines: int) -> tuple[Any, Callable[[], None]]:
    """A registry with this number of lines on its page, and a function that changes all its series."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    metric_class: type[Any] = Counter if kind == "counters" else Histogram
    metrics = [metric_class(f"metric{number}", "", LABELS, registry=registry) for number in range(METRICS)]
    routes = range(max(1, lines // METRICS // LINES[kind]))
    children = [metric.labels(f"/route/{number}", "200") for metric in metrics for number in routes]

    def change_all() -> None:
        for child in children:
            if kind == "counters":
                child.inc()
            else:
                child.observe(0.3)

    return registry, change_all


def ours(lines: int) -> Measure:
    measures = [_bridged(kind, *filled_registry(kind, lines)) for kind in LINES]
    return lambda repetitions: {
        name: value for measure in measures for name, value in measure(repetitions).items()
    }


def _bridged(kind: str, registry: Any, change_all: Callable[[], None]) -> Measure:
    from dualmetrics import Telemetry
    from dualmetrics.exporters.otlp.encoder import OtlpEncoder

    telemetry = Telemetry(registries=[registry], metrics_exporter="prometheus")
    telemetry.render()
    encoder = OtlpEncoder()

    def encode() -> list[bytes]:
        return [*encoder.messages(telemetry.snapshot())]

    def measure(repetitions: int) -> Values:
        return {
            f"{kind}, page": cpu_milliseconds(telemetry.render, repetitions, change_all),
            f"{kind}, to bytes": cpu_milliseconds(encode, repetitions, change_all),
        }

    return measure


def prometheus_client(lines: int) -> Measure:
    from prometheus_client import generate_latest

    registries = {kind: filled_registry(kind, lines) for kind in LINES}
    return lambda repetitions: {
        f"{kind}, page": cpu_milliseconds(
            functools.partial(generate_latest, registry), repetitions, change_all
        )
        for kind, (registry, change_all) in registries.items()
    }


QUESTION = Question(
    "registry",
    "A bridged registry with many lines on its page, all changed: page and push, with reading",
    "ms",
    (
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",)),
    ),
    {
        "tiny": Effort(1, 1, 1, (200,)),
        "quick": Effort(1, 5, 1, (1000, 10_000)),
        "full": Effort(3, 7, 1, (1000, 10_000)),
    },
    case="lines",
    floor="prometheus_client",
)
