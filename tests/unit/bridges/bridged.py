"""Helpers: registries that are imported, what the page shows of them, and what a Collector receives."""

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
    """A Telemetry that reads these registries. It is shut down at the end of the block."""
    recording = Telemetry(registries=registries or None, directory=str(tmp_path), **settings)
    try:
        yield recording
    finally:
        recording.shutdown()


def shown_samples(recording: Telemetry, accept: str = "text/plain") -> dict[reading.Sample, str]:
    """The samples on the page, without those of the library itself."""
    content_type, body = recording.render(accept)
    return _foreign(reading.samples(Page(content_type, [body])))


def expected_samples(registry: Any, accept: str = "text/plain") -> dict[reading.Sample, str]:
    """The samples on prometheus_client's own page, without the ``_created`` ones."""
    generate = generate_openmetrics if "openmetrics" in accept else generate_latest
    samples = _foreign(reading.samples(Page(accept, [generate(registry)])))
    return {key: value for key, value in samples.items() if not key[0].endswith("_created")}


def _foreign(samples: dict[reading.Sample, str]) -> dict[reading.Sample, str]:
    return {key: value for key, value in samples.items() if not key[0].startswith(OWN)}


def registry_snapshot(registry: object) -> Snapshot:
    """A snapshot of an imported registry, without the metrics of the library itself."""
    with (
        tempfile.TemporaryDirectory() as directory,
        telemetry(directory, registry, metrics_exporter="prometheus") as recording,
    ):
        return replace(without_own_metrics(recording.snapshot()), resource=())


def without_own_metrics(snapshot: Snapshot) -> Snapshot:
    """The snapshot without the metrics of the library itself."""
    families = (family for family in snapshot.families if family.descriptor.scope.name != "dualmetrics")
    return replace(snapshot, families=tuple(families))


def registry_metrics(receiver: Receiver) -> dict[str, Pushed]:
    """The received metrics of a registry, by name."""
    scopes = [scope for scope in received_scopes(receiver) if scope.scope.name == "prometheus_client"]
    return {metric.name: metric for scope in scopes for metric in scope.metrics}


def received_scopes(receiver: Receiver) -> list[ScopeMetrics]:
    """All metrics that were received, grouped by scope."""
    return [
        scope
        for request in receiver.requests
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
    ]


def push_registry(tmp_path: Path, registry: object, protocol: str = "http/protobuf") -> dict[str, Pushed]:
    """Push a registry, and return the metrics that the Collector received, by name."""
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        with telemetry(tmp_path, registry, endpoint=endpoint, protocol=protocol) as recording:
            assert recording.force_flush()
        return registry_metrics(receiver)


def string_attributes(point: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in point.attributes}


class FixedCollector:
    """A collector that returns always the same metrics."""

    def __init__(self, *metrics: Metric) -> None:
        self.metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def registry_of(*metrics: Metric) -> CollectorRegistry:
    """A registry with these metrics."""
    registry = CollectorRegistry()
    registry.register(FixedCollector(*metrics))
    return registry


def make_metric(kind: str, name: str, *samples: tuple[str, dict[str, Any], Any], unit: str = "") -> Metric:
    """A metric with these samples, each a suffix of the name, labels and a value. They may be invalid."""
    metric = Metric(name, "Help.", kind, unit)
    for suffix, labels, value in samples:
        metric.add_sample(name + suffix, labels, value)
    return metric
