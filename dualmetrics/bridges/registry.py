"""Registries of ``prometheus_client``, whose collectors are read one by one."""

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

from dualmetrics.bridges.nan_sums import has_nan_sum, shows_nan_sum
from dualmetrics.bridges.registry_metrics import metric_to_families
from dualmetrics.model.snapshot import Family

_Report = Callable[[str, str], None]
"""Called with what is left out, and why."""

_new_file_collector: Callable[[CollectorRegistry], Any] = MultiProcessCollector
"""The constructor, which prometheus_client has not typed."""

_GAUGE_MERGES = {
    "liveall": "each",
    **dict.fromkeys(("sum", "livesum"), "sum"),
    **dict.fromkeys(("max", "livemax"), "max"),
    **dict.fromkeys(("min", "livemin"), "min"),
    **dict.fromkeys(("mostrecent", "livemostrecent"), "last"),
}
"""Values of DUALMETRICS_GAUGE_MERGE, by the ``multiprocess_mode`` of a gauge."""


class RegistryCollector:
    """One collector of a registry (see `MetricCollector` for the attributes)."""

    def __init__(
        self,
        collector: Any,
        report: _Report,
        once_per_group: bool = False,
        report_nan: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.collector = collector
        self.name = _name(collector)
        self.cheap = isinstance(collector, MetricWrapperBase) and not once_per_group
        self.keeps_sums = isinstance(collector, (Counter, Histogram, Summary)) and not once_per_group
        self.per_worker = isinstance(collector, (ProcessCollector, GCCollector))
        self.once_per_group = once_per_group
        self.forgets_removed = self.keeps_sums
        self.target_info: Mapping[str, str] = {}
        self._report = report
        self._report_nan = report_nan
        self._gauge_merge = _gauge_merge(collector)

    def read(self) -> Iterator[Family]:
        """Its metrics. Those that are invalid are left out and reported."""
        for metric in self.collector.collect():
            try:
                if metric.name == "target" and metric.type == "info":
                    self.target_info = dict(metric.samples[0].labels)
                else:
                    yield from self._to_families(metric)
            except Exception as error:
                self.forgets_removed = False  # a series that is missing now may still exist
                self._report(getattr(metric, "name", self.name), f"{type(error).__name__}: {error}")

    def _to_families(self, metric: Metric) -> list[Family]:
        families = metric_to_families(metric, self.once_per_group, self._gauge_merge)
        if any(map(has_nan_sum, families)) and shows_nan_sum(metric):
            self._report_nan(metric.name)
        return families


class RegistrySource:
    """Some registries as one source. ``"default"`` stands for the default registry.

    ``skips`` returns whether a collector is left out, because another source shows the same. ``report_nan``
    is called with the name of a metric whose sum is NaN.
    """

    name = "prometheus_client"

    def __init__(
        self,
        registries: Iterable[object],
        report: _Report,
        skips: Callable[[object], bool],
        report_nan: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._registries: list[Any] = [
            REGISTRY if registry == "default" else registry for registry in registries
        ]
        self._report = report
        self._skips = skips
        self._report_nan = report_nan
        self._collectors: dict[int, RegistryCollector] = {}
        self._file_collectors = _file_collectors(report, report_nan)

    def collectors(self) -> Iterable[RegistryCollector]:
        """All collectors, each of them once, and each time as the same objects."""
        registered = {
            id(collector): collector
            for registry in self._registries
            for collector in _registered_collectors(registry)
        }
        previous = self._collectors
        self._collectors = {
            key: previous.get(key) or self._wrap(collector)
            for key, collector in registered.items()
            if not self._skips(collector) and not self._is_in_files(collector)
        }
        return [*self._collectors.values(), *self._file_collectors]

    def resource(self) -> Mapping[str, str]:
        """The labels of the registries' ``target_info``."""
        infos: list[Mapping[str, str]] = [
            getattr(registry, "get_target_info", dict)() or {} for registry in self._registries
        ]
        infos += [collector.target_info for collector in self._collectors.values()]
        return {str(key): str(value) for info in infos for key, value in info.items()}

    def _wrap(self, collector: object) -> RegistryCollector:
        is_of_files = isinstance(collector, MultiProcessCollector)
        return RegistryCollector(collector, self._report, is_of_files, self._report_nan)

    def _is_in_files(self, collector: object) -> bool:
        """Whether the files of prometheus_client's own multi-process mode have the same metrics."""
        if not self._file_collectors:
            return False
        is_metric = isinstance(collector, MetricWrapperBase) and not isinstance(collector, (Info, Enum))
        return is_metric or isinstance(collector, MultiProcessCollector)


def is_opentelemetry(collector: object) -> bool:
    """Whether OpenTelemetry's PrometheusMetricReader registered this collector."""
    return type(collector).__module__.startswith("opentelemetry.exporter.prometheus")


def _gauge_merge(collector: object) -> str:
    """How a gauge is merged over workers, by the multi-process mode that the app has declared.

    No public API tells this mode. ``all`` is the default, so it declares nothing.
    """
    return _GAUGE_MERGES.get(getattr(collector, "_multiprocess_mode", ""), "")


def _registered_collectors(registry: Any) -> list[Any]:
    """The collectors of a registry, so that one that fails costs only its own metrics.

    No public API lists them. A registry without this private attribute is read as one collector.
    """
    return list(getattr(registry, "_collector_to_names", (registry,)))


def _file_collectors(report: _Report, report_nan: Callable[[str], None]) -> list[RegistryCollector]:
    """The collector of the files that prometheus_client writes in its multi-process mode, if that is on."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return []
    try:
        collector = _new_file_collector(CollectorRegistry())
        return [RegistryCollector(collector, report, True, report_nan)]
    except ValueError as error:
        report("PROMETHEUS_MULTIPROC_DIR", str(error))
        return []


def _name(collector: Any) -> str:
    """A name for the log: that of the first metric that the collector describes, or that of its class."""
    if isinstance(collector, MetricWrapperBase):
        described: list[Metric] = list(collector.describe())
        return described[0].name if described else type(collector).__name__
    return f"{type(collector).__module__}.{type(collector).__qualname__}"
