"""The metrics of ``prometheus_client``: each registry's collectors, one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Enum,
    GCCollector,
    Histogram,
    Info,
    Metric,
    ProcessCollector,
    Summary,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector

from dualmetrics.bridges.registry_metrics import families
from dualmetrics.model.snapshot import Family

_Report = Callable[[str, str], None]
"""Told of something that is left out: what it is, and why."""


class RegistryCollector:
    """A collector as it is read (see `dualmetrics.bridges.protocols.Collector`)."""

    def __init__(self, collector: Any, report: _Report, once_per_group: bool = False) -> None:
        self.collector = collector
        self.name = _name(collector)
        self.cheap = isinstance(collector, MetricWrapperBase) and not once_per_group
        self.keeps_sums = isinstance(collector, (Counter, Histogram, Summary)) and not once_per_group
        self.per_worker = isinstance(collector, (ProcessCollector, GCCollector))
        self.once_per_group = once_per_group
        self.forgets_removed = self.keeps_sums
        self.target: Mapping[str, str] = {}
        self._report = report

    def read(self) -> Iterator[Family]:
        """Its metrics; those that mean nothing are left out, and told of."""
        for metric in self.collector.collect():
            try:
                if metric.name == "target" and metric.type == "info":
                    self.target = dict(metric.samples[0].labels)
                else:
                    yield from families(metric, self.once_per_group)
            except Exception as error:
                self.forgets_removed = False  # what is missing may be there still
                self._report(getattr(metric, "name", self.name), f"{type(error).__name__}: {error}")


class RegistrySource:
    """Some registries, or the default one. ``skips`` says which collectors another source tells of."""

    name = "prometheus_client"

    def __init__(
        self, registries: Iterable[object], report: _Report, skips: Callable[[object], bool]
    ) -> None:
        self._registries: list[Any] = [REGISTRY if each == "default" else each for each in registries]
        self._report = report
        self._skips = skips
        self._known: dict[int, RegistryCollector] = {}
        self._files = _multiprocess(report)

    def collectors(self) -> Iterable[RegistryCollector]:
        """Each collector once, the same object for the same one."""
        found = {id(each): each for registry in self._registries for each in _collectors(registry)}
        known = self._known
        self._known = {
            key: known.get(key)
            or RegistryCollector(each, self._report, isinstance(each, MultiProcessCollector))
            for key, each in found.items()
            if not self._skips(each) and not self._in_files(each)
        }
        return [*self._known.values(), *self._files]

    def resource(self) -> Mapping[str, str]:
        """The ``target_info`` of the registries."""
        infos: list[Mapping[str, str]] = [
            getattr(registry, "get_target_info", dict)() or {} for registry in self._registries
        ]
        infos += [read.target for read in self._known.values()]
        return {str(key): str(value) for info in infos for key, value in info.items()}

    def _in_files(self, collector: object) -> bool:
        """Whether the files of prometheus_client's own multi-process mode tell of it."""
        if not self._files:
            return False
        mapped = isinstance(collector, MetricWrapperBase) and not isinstance(collector, (Info, Enum))
        return mapped or isinstance(collector, MultiProcessCollector)


def is_opentelemetry(collector: object) -> bool:
    """Whether it is what OpenTelemetry's PrometheusMetricReader has registered."""
    return type(collector).__module__.startswith("opentelemetry.exporter.prometheus")


def _collectors(registry: Any) -> list[Any]:
    """The collectors by themselves, so that one that fails costs its own metrics alone.

    No public name gives them. Where this one is gone, the registry is read as one collector.
    """
    return list(getattr(registry, "_collector_to_names", (registry,)))


def _multiprocess(report: _Report) -> list[RegistryCollector]:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return []
    try:
        return [RegistryCollector(_files(CollectorRegistry()), report, once_per_group=True)]
    except ValueError as error:
        report("PROMETHEUS_MULTIPROC_DIR", str(error))
        return []


_files: Callable[[CollectorRegistry], Any] = MultiProcessCollector


def _name(collector: Any) -> str:
    """A name for the log: the first metric's that it describes, or its type's."""
    if isinstance(collector, MetricWrapperBase):
        described: list[Metric] = list(collector.describe())
        return described[0].name if described else type(collector).__name__
    return f"{type(collector).__module__}.{type(collector).__qualname__}"
