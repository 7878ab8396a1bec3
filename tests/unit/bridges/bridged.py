"""Registries through the bridge: what the page shows, and what a Collector receives."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as Pushed
from opentelemetry.proto.metrics.v1.metrics_pb2 import ScopeMetrics
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus import Page
from dualmetrics.model.snapshot import Snapshot
from tests.unit.exporters.prometheus import reading

OWN = ("dualmetrics_", "ns_dualmetrics_", "target_info")


@contextlib.contextmanager
def telemetry(tmp_path: Path | str, *registries: object, **settings: Any) -> Iterator[Telemetry]:
    """A recording that reads registries, until the end of the block."""
    made = Telemetry(registries=registries or None, directory=str(tmp_path), **settings)
    try:
        yield made
    finally:
        made.shutdown()


def shown(made: Telemetry, accept: str = "text/plain") -> dict[reading.Sample, str]:
    """The samples on the page that are not our own."""
    content_type, body = made.render(accept)
    return _foreign(reading.samples(Page(content_type, [body])))


def expected(registry: Any, accept: str = "text/plain") -> dict[reading.Sample, str]:
    """The samples of prometheus_client's own page, without the times of creation."""
    generate = generate_openmetrics if "openmetrics" in accept else generate_latest
    samples = _foreign(reading.samples(Page(accept, [generate(registry)])))
    return {key: value for key, value in samples.items() if not key[0].endswith("_created")}


def _foreign(samples: dict[reading.Sample, str]) -> dict[reading.Sample, str]:
    return {key: value for key, value in samples.items() if not key[0].startswith(OWN)}


def foreign(registry: object) -> Snapshot:
    """What a registry holds, bridged, and nothing of our own."""
    with (
        tempfile.TemporaryDirectory() as directory,
        telemetry(directory, registry, metrics_exporter="prometheus") as made,
    ):
        return replace(bridged(made.snapshot()), resource=())


def bridged(snapshot: Snapshot) -> Snapshot:
    """Without our own metrics."""
    families = (family for family in snapshot.families if family.descriptor.scope.name != "dualmetrics")
    return replace(snapshot, families=tuple(families))


def received(receiver: Receiver) -> dict[str, Pushed]:
    """The metrics of a registry that were pushed, by name."""
    scoped = [each for each in scopes(receiver) if each.scope.name == "prometheus_client"]
    return {metric.name: metric for each in scoped for metric in each.metrics}


def scopes(receiver: Receiver) -> list[ScopeMetrics]:
    """All that was received, by scope."""
    return [
        scope
        for request in receiver.requests
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
    ]


def pushed(tmp_path: Path, registry: object, protocol: str = "http/protobuf") -> dict[str, Pushed]:
    """What a Collector receives of a registry, by the metrics' names."""
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        with telemetry(tmp_path, registry, endpoint=endpoint, protocol=protocol) as made:
            assert made.force_flush()
        return received(receiver)


def attributes(point: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in point.attributes}


class Custom:
    """A collector that gives what it is given."""

    def __init__(self, *metrics: Metric) -> None:
        self.metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def of(*metrics: Metric) -> CollectorRegistry:
    """A registry with these metrics."""
    registry = CollectorRegistry()
    registry.register(Custom(*metrics))
    return registry


def metric(kind: str, name: str, *samples: tuple[str, dict[str, str], float], unit: str = "") -> Metric:
    """A metric made by hand."""
    made = Metric(name, "Help.", kind, unit)
    for suffix, labels, value in samples:
        made.add_sample(name + suffix, labels, value)
    return made
