"""The series of a prometheus_client metric, whose samples are grouped by their labels."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.samples import Sample

from dualmetrics.bridges.registry_exemplars import to_exemplar
from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.snapshot import Exemplar, Exemplars, Point

_MAX_COUNT = 2.0**63
"""Counts are less than this in OTLP and in Prometheus' protobuf."""

_MAX_NANOSECONDS = 2.0**64
"""Times since the epoch are less than this in OTLP."""

_NOT_GAUGES = ("counter", "info", "stateset")

NamedPoint = tuple[str, tuple[float, ...], Point]
"""One series: the name on the page, the bounds, and the point, whose attributes are all labels."""


class UnmappableMetricError(Exception):
    """A metric that has no meaning in OTLP."""


def read_series(metric: Metric) -> Iterator[NamedPoint]:
    """All series of ``metric``.

    Raises UnmappableMetricError, or whatever a value raises that is no number.
    """
    return _READERS.get(metric.type, _read_plain)(metric)


def _read_plain(metric: Metric) -> Iterator[NamedPoint]:
    """Read a metric of which each sample is one series."""
    created_name = f"{metric.name}_created"
    created = {_labels(s): float(s.value) for s in metric.samples if s.name == created_name}
    main_name = {"counter": f"{metric.name}_total", "info": f"{metric.name}_info"}.get(metric.type)
    only_main = any(sample.name == main_name for sample in metric.samples)
    is_gauge = metric.type not in _NOT_GAUGES
    for sample in metric.samples:
        if only_main and sample.name != main_name:
            continue
        labels, value = _labels(sample), float(sample.value)
        if metric.type == "counter" and not value >= 0:
            raise UnmappableMetricError(f"a counter of {value}")
        start = _nanoseconds(created.get(labels, 0.0))
        exemplars = (to_exemplar(sample.exemplar),) if sample.exemplar else ()
        yield sample.name, (), Point(labels, start, (value, 1.0) if is_gauge else (value,), exemplars)


def _read_histogram(metric: Metric) -> Iterator[NamedPoint]:
    for group in _group(metric, "le"):
        count = group.values.get("_count", group.parts.get(math.inf))
        if count is None:
            continue  # the specification says that it is dropped
        bounds = tuple(sorted(bound for bound in group.parts if bound != math.inf))
        cells = (*_bucket_counts(group, count), group.values.get("_sum", math.nan))
        exemplars: Exemplars = ()
        if group.exemplars:
            exemplars = tuple(map(group.exemplars.get, (*bounds, math.inf)))
        yield metric.name, bounds, Point(group.labels, group.start, cells, exemplars)


def _read_summary(metric: Metric) -> Iterator[NamedPoint]:
    for group in _group(metric, "quantile"):
        if "_count" not in group.values:
            continue
        count = group.values["_count"]
        if not 0 <= count < _MAX_COUNT:
            raise UnmappableMetricError(f"a count of {count}")
        quantiles = tuple(sorted(group.parts))
        values = (group.parts[quantile] for quantile in quantiles)
        cells = (count, group.values.get("_sum", math.nan), *values, 1.0)
        yield metric.name, quantiles, Point(group.labels, group.start, cells)


_READERS: Mapping[str, Callable[[Metric], Iterator[NamedPoint]]] = {
    "histogram": _read_histogram,
    "summary": _read_summary,
}


class _SampleGroup(NamedTuple):
    """The samples of one histogram or summary series."""

    labels: Attributes
    values: dict[str, float]
    """By the suffix of the name, such as ``_sum``."""
    parts: dict[float, float]
    """By the bound of the bucket, or by the quantile."""
    exemplars: dict[float, Exemplar | None]
    """Of those parts that have one."""

    @property
    def start(self) -> int:
        return _nanoseconds(self.values.get("_created", 0.0))


def _group(metric: Metric, part_label: str) -> Iterable[_SampleGroup]:
    """Group the samples by series. ``part_label`` distinguishes the buckets or quantiles of one series."""
    groups: dict[Attributes, _SampleGroup] = {}
    for sample in metric.samples:
        labels = _labels(sample, part_label)
        group = groups.get(labels)
        if group is None:
            group = groups[labels] = _SampleGroup(labels, {}, {}, {})
        if part_label in sample.labels:
            part = float(sample.labels[part_label])
            group.parts[part] = float(sample.value)
            if sample.exemplar:
                group.exemplars[part] = to_exemplar(sample.exemplar)
        else:
            group.values[sample.name.removeprefix(metric.name)] = float(sample.value)
    return groups.values()


def _bucket_counts(group: _SampleGroup, count: float) -> list[float]:
    """The count of each bucket by itself. In the samples each bucket includes those below it."""
    cumulative = [value for _, value in sorted(group.parts.items())]
    if math.inf not in group.parts:
        cumulative.append(count)
    counts = [cumulative[0], *(high - low for low, high in pairwise(cumulative))]
    if not all(each >= 0 for each in counts) or cumulative[-1] >= _MAX_COUNT:
        raise UnmappableMetricError("buckets that do not grow, or count too much")
    return counts


def _nanoseconds(seconds: float) -> int:
    """A time since the epoch; 0 if it is not valid."""
    return int(seconds * 1e9) if 0 < seconds * 1e9 < _MAX_NANOSECONDS else 0


def _labels(sample: Sample, without: str = "") -> Attributes:
    labels = sample.labels
    if without in labels:
        labels = {name: value for name, value in labels.items() if name != without}
    return _sorted_labels(tuple(labels.items()))


@functools.lru_cache(1 << 16)  # a series has the same labels at each read
def _sorted_labels(labels: tuple[tuple[str, str], ...]) -> Attributes:
    for name, value in labels:
        if type(name) is not str or type(value) is not str:
            raise UnmappableMetricError(f"the label {name!r}={value!r}")
    # To Prometheus a label with an empty value is no label, so the push has none either.
    return tuple(sorted((clean_text(name), clean_text(value)) for name, value in labels if value))
