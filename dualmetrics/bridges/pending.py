"""Sources for the default Telemetry, which may not exist yet when they are created."""

from __future__ import annotations

from collections.abc import Callable

from dualmetrics.bridges.protocols import MetricSource

_sources: list[MetricSource] = []
_subscribers: list[Callable[[MetricSource], None]] = []


def register_source(source: MetricSource) -> None:
    """Give ``source`` to the default Telemetry, now or as soon as there is one."""
    _sources.append(source)
    for subscriber in _subscribers:
        subscriber(source)


def subscribe(subscriber: Callable[[MetricSource], None]) -> list[MetricSource]:
    """Call ``subscriber`` with each source, those of now and those of later. Returns those of now."""
    _subscribers.append(subscriber)
    for source in _sources:
        subscriber(source)
    return list(_sources)
