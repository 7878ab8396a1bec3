"""What a bridged registry of prometheus_client costs the processor, beside its own page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.timing import mean_milliseconds

METRICS = 10
SAMPLES = 17
"""Lines of the page that a histogram of prometheus_client's own bounds takes."""

LABELS = ["route", "code"]

Touch = Callable[[], None]


def counters(count: int) -> tuple[Any, Touch]:
    """A registry of so many counters, and what changes them all."""
    from prometheus_client import CollectorRegistry, Counter

    registry = CollectorRegistry()
    series = [
        made.labels(f"/route/{number}", "200")
        for made in (Counter(f"c{at}", "", LABELS, registry=registry) for at in range(METRICS))
        for number in range(max(1, count // METRICS))
    ]
    return registry, lambda: _each(lambda one: one.inc(), series)


def histograms(count: int) -> tuple[Any, Touch]:
    """The same of histograms, with so many lines on the page."""
    from prometheus_client import CollectorRegistry, Histogram

    registry = CollectorRegistry()
    series = [
        made.labels(f"/route/{number}", "200")
        for made in (Histogram(f"h{at}", "", LABELS, registry=registry) for at in range(METRICS))
        for number in range(max(1, count // METRICS // SAMPLES))
    ]
    return registry, lambda: _each(lambda one: one.observe(0.3), series)


def _each(change: Callable[[Any], object], series: list[Any]) -> None:
    for one in series:
        change(one)


KINDS = {"counters": counters, "histograms": histograms}


def ours(count: int) -> Measure:
    measures = [_bridged(name, *fill(count)) for name, fill in KINDS.items()]
    return lambda amount: {name: value for each in measures for name, value in each(amount).items()}


def _bridged(name: str, registry: Any, touch: Touch) -> Measure:
    from dualmetrics import Telemetry
    from dualmetrics.exporters.otlp.encoder import OtlpEncoder

    telemetry = Telemetry(registries=[registry], metrics_exporter="prometheus")
    telemetry.render()
    packer = OtlpEncoder()

    def to_bytes() -> list[bytes]:
        return [*packer.messages(telemetry.snapshot())]

    def measure(amount: int) -> Values:
        page = mean_milliseconds(telemetry.render, amount, touch)
        return {f"{name}, page": page, f"{name}, to bytes": mean_milliseconds(to_bytes, amount, touch)}

    return measure


def prometheus_client(count: int) -> Measure:
    from prometheus_client import generate_latest

    made = [(name, *fill(count)) for name, fill in KINDS.items()]
    return lambda amount: {
        f"{name}, page": mean_milliseconds(lambda: generate_latest(registry), amount, touch)  # noqa: B023  # called at once
        for name, registry, touch in made
    }


QUESTION = Question(
    "registry",
    "A registry with so many lines on its page, bridged, all changed: page and push, reading included",
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
