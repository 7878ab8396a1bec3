"""Which recorded metrics the gates on other metrics need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import reduce

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gate_specs import (
    GateSpec,
    HistogramSpec,
    HostSpec,
    RatioSpec,
)
from dualmetrics.experiments.selectors import Matcher, Selector, find_metric
from dualmetrics.experiments.sources.source import NO_OTHERS, OtherMetrics

_NOT_BUSY = "idle|iowait|wait|steal"
HOST_METRICS = {
    "CPU": (
        Selector("process_cpu_seconds_total"),
        Selector("process_cpu_time_seconds_total", (Matcher("state", "!~", _NOT_BUSY),)),
        Selector(
            "system_cpu_time_seconds_total",
            (Matcher("state", "!~", _NOT_BUSY), Matcher("cpu_mode", "!~", _NOT_BUSY)),
        ),
        Selector("node_cpu_seconds_total", (Matcher("mode", "!~", _NOT_BUSY),)),
    ),
    "memory": (
        Selector("process_resident_memory_bytes"),
        Selector("process_memory_usage_bytes"),
        Selector(
            "system_memory_usage_bytes",
            (Matcher("state", "=~", "used|"), Matcher("system_memory_state", "=~", "used|")),
        ),
    ),
}
"""The metrics of CPU and memory, the best first: those of a process before those of its host."""


def resolve_gates(specs: Iterable[GateSpec], recorded: Collection[str]) -> tuple[GateSpec, ...]:
    """Return the specs with the full names of recorded metrics. Raises `UsageError` if one is missing."""
    return tuple(_resolved(spec, recorded) for spec in specs)


def _resolved(spec: GateSpec, recorded: Collection[str]) -> GateSpec:
    if isinstance(spec, RatioSpec):
        numerator, denominator = (
            each._replace(name=find_metric(each.name, recorded, "_total"))
            for each in (spec.numerator, spec.denominator)
        )
        return replace(spec, numerator=numerator, denominator=denominator)
    if isinstance(spec, HistogramSpec):
        name = find_metric(spec.metric.name, _histogram_names(recorded))
        return replace(spec, metric=spec.metric._replace(name=name))
    return replace(spec, metric=_host_metric(spec.kind, recorded))


def _histogram_names(recorded: Collection[str]) -> set[str]:
    """Return the names of classic histograms, and all that may be those of native ones."""
    classic = {name.removesuffix("_bucket") for name in recorded if name.endswith("_bucket")}
    parts = {name + suffix for name in classic for suffix in ("_bucket", "_sum", "_count", "_created")}
    return classic | {name for name in recorded if name not in parts and not name.endswith("_total")}


def _host_metric(kind: str, recorded: Collection[str]) -> Selector:
    for selector in HOST_METRICS[kind]:
        found = [name for name in recorded if name == selector.name or name.endswith(f"_{selector.name}")]
        if found:
            return selector._replace(name=min(found, key=len))
    names = ", ".join(selector.name for selector in HOST_METRICS[kind])
    raise UsageError(f"No metric of {kind} was recorded. One of these is needed: {names}.")


def needed_metrics(specs: Sequence[GateSpec]) -> OtherMetrics:
    """Return the metrics to read for resolved specs."""
    return reduce(_union, (_needs(spec) for spec in specs), NO_OTHERS)


def _needs(spec: GateSpec) -> OtherMetrics:
    if isinstance(spec, RatioSpec):
        return OtherMetrics(counters=frozenset({spec.numerator.name, spec.denominator.name}))
    name = frozenset({spec.metric.name}) if spec.metric else frozenset()
    if isinstance(spec, HostSpec):
        return OtherMetrics(counters=name) if spec.kind == "CPU" else OtherMetrics(gauges=name)
    return OtherMetrics(means=name) if spec.mean else OtherMetrics(histograms=name)


def _union(one: OtherMetrics, other: OtherMetrics) -> OtherMetrics:
    return OtherMetrics(
        one.counters | other.counters,
        one.gauges | other.gauges,
        one.histograms | other.histograms,
        one.means | other.means,
    )
