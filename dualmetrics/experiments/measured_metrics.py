"""Which recorded metrics the requested gates need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import reduce

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gate_requests import (
    GateRequest,
    HistogramRequest,
    HostRequest,
    RatioRequest,
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


def resolve_gates(requests: Iterable[GateRequest], recorded: Collection[str]) -> tuple[GateRequest, ...]:
    """Return the requests with the full names of recorded metrics. Raises `UsageError` if one is missing."""
    return tuple(_resolved(request, recorded) for request in requests)


def _resolved(request: GateRequest, recorded: Collection[str]) -> GateRequest:
    if isinstance(request, RatioRequest):
        numerator, denominator = (
            each._replace(name=find_metric(each.name, recorded, "_total"))
            for each in (request.numerator, request.denominator)
        )
        return replace(request, numerator=numerator, denominator=denominator)
    if isinstance(request, HistogramRequest):
        name = find_metric(request.metric.name, _histogram_names(recorded))
        return replace(request, metric=request.metric._replace(name=name))
    return replace(request, metric=_host_metric(request.kind, recorded))


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


def needed_metrics(requests: Sequence[GateRequest]) -> OtherMetrics:
    """Return the metrics to read for resolved requests."""
    return reduce(_union, (_needs(request) for request in requests), NO_OTHERS)


def _needs(request: GateRequest) -> OtherMetrics:
    if isinstance(request, RatioRequest):
        return OtherMetrics(counters=frozenset({request.numerator.name, request.denominator.name}))
    name = frozenset({request.metric.name}) if request.metric else frozenset()
    if isinstance(request, HostRequest):
        return OtherMetrics(counters=name) if request.kind == "CPU" else OtherMetrics(gauges=name)
    return OtherMetrics(means=name) if request.mean else OtherMetrics(histograms=name)


def _union(one: OtherMetrics, other: OtherMetrics) -> OtherMetrics:
    return OtherMetrics(
        one.counters | other.counters,
        one.gauges | other.gauges,
        one.histograms | other.histograms,
        one.means | other.means,
    )
