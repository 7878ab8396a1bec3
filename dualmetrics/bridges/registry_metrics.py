"""A Prometheus client's metric as ours, by OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md``.

*Prometheus Metric points to OTLP*: names stay, ``_total`` included; a counter is a monotonic sum; info and
stateset are sums that are not; buckets are counted apart; ``_created`` is the start.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.samples import Sample

from dualmetrics.bridges.registry_exemplars import exemplar
from dualmetrics.instruments.attributes import clean_text
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import PROMETHEUS_SCOPE, Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Exemplar, Exemplars, Family, Point
from dualmetrics.model.units import ucum

_SCOPE = "otel_scope_"
_KINDS = {
    "counter": Kind.COUNTER,
    "gauge": Kind.GAUGE,
    "gaugehistogram": Kind.GAUGE,
    "histogram": Kind.HISTOGRAM,
    "info": Kind.UP_DOWN_COUNTER,
    "stateset": Kind.UP_DOWN_COUNTER,
    "summary": Kind.SUMMARY,
    "unknown": Kind.GAUGE,
}
_ONCE = ("info", "stateset")
"""Forms of which every worker has its own copy: shown as they are, not added up."""


_COUNTS = 2.0**63
"""Counts are less than this, in OTLP and in Prometheus' protobuf."""

_NANOSECONDS = 2.0**64
"""Times since the epoch are less than this in OTLP."""


class _Series(NamedTuple):
    """The samples of one series: by the end of their names, or by the label that tells its parts apart."""

    attributes: Attributes
    values: dict[str, float]
    parts: dict[float, float]
    exemplars: dict[float, Exemplar | None]
    """Of those parts that have one."""

    @property
    def start(self) -> int:
        return _nanoseconds(self.values.get("_created", 0.0))


class UnmappableMetricError(Exception):
    """A metric that means nothing."""


def families(metric: Metric, once_per_group: bool = False) -> list[Family]:
    """The metric in our terms. Raises GarbageError, or whatever its values raise that are none."""
    form = "unknown" if metric.type == "untyped" else metric.type
    if form not in _KINDS:
        raise UnmappableMetricError(f"the type {metric.type!r}")
    found: dict[tuple[Scope, str, tuple[float, ...]], list[Point]] = {}
    for name, bounds, labels, start, cells, exemplars in _READERS.get(form, _plain)(metric):
        scope, attributes = _scoped(labels)
        found.setdefault((scope, name, bounds), []).append(Point(attributes, start, cells, exemplars))
    describe = _describer(metric, form, once_per_group)
    made = [Family(describe(*key), tuple(points)) for key, points in found.items()]
    return _by_owner(made) if form == "stateset" else made


def _describer(
    metric: Metric, form: str, once_per_group: bool
) -> Callable[[Scope, str, tuple[float, ...]], Descriptor]:
    help_text = clean_text(str(metric.documentation or ""))
    return lambda scope, name, bounds: Descriptor(
        scope,
        clean_text(name),
        _KINDS[form],
        clean_text(ucum(metric.unit)),
        help_text,
        bounds,
        observable=once_per_group or _KINDS[form] is Kind.HISTOGRAM,
        once_per_group=once_per_group or form in _ONCE,
        prometheus_type=form,
    )


_Read = Iterator[tuple[str, tuple[float, ...], Attributes, int, Sequence[float], Exemplars]]
"""The name, bounds, labels, start, cells and exemplars of each series."""


def _plain(metric: Metric) -> _Read:
    """One sample is one series."""
    beginning = f"{metric.name}_created"
    created = {_labels(s): float(s.value) for s in metric.samples if s.name == beginning}
    wanted = {"counter": f"{metric.name}_total", "info": f"{metric.name}_info"}.get(metric.type)
    names = {sample.name for sample in metric.samples}
    gauge = _KINDS.get(metric.type, Kind.GAUGE) is Kind.GAUGE
    for sample in metric.samples:
        if wanted in names and sample.name != wanted:
            continue
        attributes, value = _labels(sample), float(sample.value)
        if metric.type == "counter" and not value >= 0:
            raise UnmappableMetricError(f"a counter of {value}")
        start = _nanoseconds(created.get(attributes, 0.0))
        exemplars = (exemplar(sample.exemplar),) if sample.exemplar else ()
        yield sample.name, (), attributes, start, (value, 1.0) if gauge else (value,), exemplars


def _histogram(metric: Metric) -> _Read:
    for series in _grouped(metric, "le"):
        counts = [count for _, count in sorted(series.parts.items())]
        count = series.values.get("_count", series.parts.get(math.inf))
        if count is None:
            continue  # by the specification
        if math.inf not in series.parts:
            counts.append(count)
        cells = [counts[0], *(high - low for low, high in pairwise(counts))]
        if not all(cell >= 0 for cell in cells) or counts[-1] >= _COUNTS:
            raise UnmappableMetricError("buckets that do not grow, or count too much")
        bounds = tuple(sorted(bound for bound in series.parts if bound != math.inf))
        cells.append(series.values.get("_sum", math.nan))
        known = series.exemplars
        exemplars = tuple(map(known.get, (*bounds, math.inf))) if known else ()
        yield metric.name, bounds, series.attributes, series.start, tuple(cells), exemplars


def _summary(metric: Metric) -> _Read:
    for series in _grouped(metric, "quantile"):
        quantiles = sorted(series.parts)
        if "_count" in series.values:
            if not 0 <= series.values["_count"] < _COUNTS:
                raise UnmappableMetricError(f"a count of {series.values['_count']}")
            values = (series.parts[quantile] for quantile in quantiles)
            cells = (series.values["_count"], series.values.get("_sum", math.nan), *values, 1.0)
            yield metric.name, tuple(quantiles), series.attributes, series.start, cells, ()


_READERS: Mapping[str, Callable[[Metric], _Read]] = {"histogram": _histogram, "summary": _summary}


def _grouped(metric: Metric, part: str) -> Iterable[_Series]:
    """The samples by series; ``part`` is the label that tells the parts of one apart."""
    found: dict[Attributes, _Series] = {}
    for sample in metric.samples:
        attributes = _labels(sample, part)
        series = found.get(attributes)
        if series is None:
            series = found[attributes] = _Series(attributes, {}, {}, {})
        if part in sample.labels:
            at = float(sample.labels[part])
            series.parts[at] = float(sample.value)
            if sample.exemplar:
                series.exemplars[at] = exemplar(sample.exemplar)
        else:
            series.values[sample.name.removeprefix(metric.name)] = float(sample.value)
    return found.values()


def _nanoseconds(seconds: float) -> int:
    """A time since the epoch; 0 if it is none."""
    return int(seconds * 1e9) if 0 < seconds * 1e9 < _NANOSECONDS else 0


def _labels(sample: Sample, without: str = "") -> Attributes:
    labels = sample.labels
    if without in labels:
        labels = {name: value for name, value in labels.items() if name != without}
    return _sorted(tuple(labels.items()))


@functools.lru_cache(1 << 16)  # a series has the same labels at each reading
def _sorted(pairs: tuple[tuple[str, str], ...]) -> Attributes:
    for name, value in pairs:
        if type(name) is not str or type(value) is not str:
            raise UnmappableMetricError(f"the label {name!r}={value!r}")
    return tuple(sorted((clean_text(name), clean_text(value)) for name, value in pairs))


def _scoped(attributes: Attributes) -> tuple[Scope, Attributes]:
    """The scope that labels tell of, as OpenTelemetry's exporters write them, and the other labels."""
    if f"{_SCOPE}name" not in dict(attributes):
        return PROMETHEUS_SCOPE, attributes
    told = {key.removeprefix(_SCOPE): str(value) for key, value in attributes if key.startswith(_SCOPE)}
    told.pop("", None)
    name, version, schema_url = (told.pop(key, "") for key in ("name", "version", "schema_url"))
    others = tuple(pair for pair in attributes if not pair[0].startswith(_SCOPE))
    return Scope(name, version, schema_url, tuple(sorted(told.items()))), others


def _by_owner(made: Iterable[Family]) -> list[Family]:
    """The states of each series by themselves: they are set together."""
    found: dict[object, list[Point]] = {}
    for family in made:
        for point in family.points:
            rest = tuple(pair for pair in point.attributes if pair[0] != family.descriptor.name)
            found.setdefault((family.descriptor, rest), []).append(point)
    return [Family(key[0], tuple(points)) for key, points in found.items()]  # type: ignore[index]
