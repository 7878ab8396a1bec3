"""What the gates on other metrics measure, counted in each block for both variants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.errors import InvalidExperimentError, TooEarlyError, UsageError
from dualmetrics.experiments.gate_specs import (
    GateSpec,
    HistogramSpec,
    HostSpec,
    RatioSpec,
)
from dualmetrics.experiments.histograms import rebucket, shared_bounds
from dualmetrics.experiments.increments import IncrementCounter, sum_by_block
from dualmetrics.experiments.ramps import Strata, stratum_weights
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels, Target, target_of
from dualmetrics.experiments.selectors import MAX_SHOWN, Selector
from dualmetrics.experiments.sources.source import MEAN_SUFFIXES, VariantSamples
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.window import Window

NO_BOUNDS: Array = np.array([])


class Measurement(NamedTuple):
    """The numbers of one gate: a row for each block of the baseline and of the candidate.

    The columns are the amount and the units; those of a histogram are its buckets, with their ``bounds``;
    that of memory is its level, which is NaN where it is unknown.
    """

    spec: GateSpec
    baseline: Array
    candidate: Array
    bounds: Array = NO_BOUNDS

    @property
    def is_level(self) -> bool:
        """Whether the numbers are levels, which are not added up."""
        return isinstance(self.spec, HostSpec) and self.spec.kind == "memory"

    @property
    def units(self) -> tuple[Array, Array]:
        """The units of baseline and candidate in each block."""
        if len(self.bounds):
            return self.baseline.sum(axis=1), self.candidate.sum(axis=1)
        return self.baseline[:, -1], self.candidate[:, -1]

    def stratified(self, strata: Strata) -> Measurement:
        """Return the numbers weighted alike in each stratum."""
        if self.is_level:
            return self
        first, second = stratum_weights(*self.units, strata)
        return self._replace(
            baseline=self.baseline * first[:, None], candidate=self.candidate * second[:, None]
        )

    def first(self, blocks: int) -> Measurement:
        """Return the numbers of the first blocks."""
        return self._replace(baseline=self.baseline[:blocks], candidate=self.candidate[:blocks])


class VariantMeter(NamedTuple):
    """Measures one variant."""

    name: str
    samples: VariantSamples
    counter: IncrementCounter

    def ratio(self, spec: RatioSpec) -> Array:
        """Return the numerator and the denominator in each block."""
        return self._columns(
            self._total(spec.numerator, spec.numerator.name),
            self._total(spec.denominator, spec.denominator.name),
        )

    def mean(self, metric: Selector) -> Array:
        """Return the sum and the count in each block. Raises `InvalidExperimentError` for negative values."""
        names = [metric.name + suffix for suffix in MEAN_SUFFIXES]
        sums, counts = (_falls(self._selected(metric, name)) for name in names)
        if sums > counts:
            raise InvalidExperimentError(f"{metric.name} has negative values, so its mean cannot be judged.")
        return self._columns(*(self._total(metric, name) for name in names))

    def buckets(self, metric: Selector, bounds: Array) -> Array:
        """Return the count of each bucket in each block."""
        edges = self.counter.edges
        blocks = np.zeros((len(edges) - 1, len(bounds) + 1))
        for each in self.histograms(metric):
            added = self.counter.added(each.labels, each.times, rebucket(each, bounds), "values")
            blocks += sum_by_block(each.times, added, edges)
        return blocks

    def histograms(self, metric: Selector) -> list[SampledHistogram]:
        """Return the histograms that count."""
        return [each for each in self.samples.histograms[metric.name] if metric.accepts(each.labels)]

    def host(self, spec: HostSpec, requests: Array) -> Array:
        """Return the CPU seconds and the requests in each block, or the level of memory."""
        metric = spec.metric or Selector("")
        if spec.kind == "CPU":
            return self._columns(self._total(metric, metric.name), requests)
        return _mean_level(self._selected(metric, metric.name), self.counter.edges)[:, None]

    def recorded(self, name: str) -> list[SampledSeries | SampledHistogram]:
        """Return all series or histograms of a metric."""
        return [*self.samples.series.get(name, ()), *self.samples.histograms.get(name, ())]

    def _selected(self, metric: Selector, name: str) -> list[SampledSeries]:
        return [each for each in self.samples.series[name] if metric.accepts(each.labels)]

    def _total(self, metric: Selector, name: str) -> Array:
        return self.counter.total(self._selected(metric, name), "units")

    @staticmethod
    def _columns(amount: Array, units: Array) -> Array:
        return np.stack((amount, units), axis=1)


def _falls(series: Iterable[SampledSeries]) -> int:
    return sum(int((np.diff(each.values) < 0).sum()) for each in series)


def _mean_level(series: Sequence[SampledSeries], edges: Array) -> Array:
    """Return the mean over the targets in each block, of the sum of a target's series. NaN: unknown."""
    blocks = len(edges) - 1
    targets: dict[Target, Array] = defaultdict(lambda: np.full(blocks, np.nan))
    for each in series:
        sums = sum_by_block(each.times, each.values, edges)
        counts = sum_by_block(each.times, np.ones(len(each.times)), edges)
        level = targets[target_of(each.labels)]
        known = counts > 0
        level[known] = np.nan_to_num(level[known]) + sums[known] / counts[known]
    levels = np.array(list(targets.values())).reshape(-1, blocks)
    present = np.isfinite(levels).sum(axis=0)
    return np.asarray(np.nansum(levels, axis=0) / np.where(present > 0, present, np.nan))


def measure(
    specs: Iterable[GateSpec],
    meters: tuple[VariantMeter, VariantMeter],
    requests: tuple[Array, Array],
    window: Window,
) -> Iterator[Measurement]:
    """Measure baseline and candidate, which had so many HTTP ``requests`` in each block.

    Raises an `ExperimentError` if there is nothing to measure.
    """
    for spec in specs:
        for selector in _selectors(spec):
            _check_selector(selector, meters, window)
        measurement = _measured(spec, meters, requests)
        _check_units(measurement, meters, window)
        yield measurement


def _measured(
    spec: GateSpec, meters: tuple[VariantMeter, VariantMeter], requests: tuple[Array, Array]
) -> Measurement:
    baseline, candidate = meters
    if isinstance(spec, RatioSpec):
        return Measurement(spec, baseline.ratio(spec), candidate.ratio(spec))
    if isinstance(spec, HostSpec):
        _check_hosts(spec, baseline.samples, candidate.samples)
        return Measurement(spec, baseline.host(spec, requests[0]), candidate.host(spec, requests[1]))
    metric = spec.metric
    if spec.mean:
        return Measurement(spec, baseline.mean(metric), candidate.mean(metric))
    bounds = shared_bounds([*baseline.histograms(metric), *candidate.histograms(metric)])
    return Measurement(spec, baseline.buckets(metric, bounds), candidate.buckets(metric, bounds), bounds)


def _selectors(spec: GateSpec) -> list[Selector]:
    if isinstance(spec, RatioSpec):
        return [spec.numerator, spec.denominator]
    if isinstance(spec, HistogramSpec) and spec.mean:
        return [spec.metric._replace(name=spec.metric.name + suffix) for suffix in MEAN_SUFFIXES]
    return [spec.metric] if spec.metric else []


def _check_selector(selector: Selector, meters: Sequence[VariantMeter], window: Window) -> None:
    """Raise an error if neither variant has a series that counts. A typo must not look like a PASS."""
    found = [each.labels for meter in meters for each in meter.recorded(selector.name)]
    if any(map(selector.accepts, found)):
        return
    if not found:
        raise UsageError(f"Neither variant has the metric {selector.name}.")
    there = [_values(matcher.label, found) for matcher in selector.matchers]
    message = f"No series of {selector.name} fulfills the conditions; there are {'; '.join(there)}"
    raise TooEarlyError(f"{message} so far.") if window.early else UsageError(f"{message}.")


def _values(label: str, found: Sequence[SampleLabels]) -> str:
    values = sorted({labels.get(label, "") for labels in found})[:MAX_SHOWN]
    return f"{label}={', '.join(map(repr, values))}"


def _check_units(measurement: Measurement, meters: Sequence[VariantMeter], window: Window) -> None:
    """Raise an error if a variant has no units, or a share is more than the whole."""
    if measurement.is_level:
        return
    tables = measurement.baseline, measurement.candidate
    for meter, table, units in zip(meters, tables, measurement.units, strict=True):
        name = meter.name
        if not units.sum() > 0:
            message = f"{measurement.spec.title}: the {name} has counted nothing in the window"
            if window.early:
                raise TooEarlyError(f"{message} yet; look again later.")
            raise InvalidExperimentError(f"{message}.")
        spec = measurement.spec
        if isinstance(spec, RatioSpec) and not spec.factor and table[:, 0].sum() > units.sum():
            raise UsageError(
                f"{spec.title} of the {name} is {table[:, 0].sum() / units.sum():.3g}, so it is no share; "
                "add `, factor` to judge how much there is for each unit."
            )


def _check_hosts(spec: HostSpec, baseline: VariantSamples, candidate: VariantSamples) -> None:
    """Raise an error if both variants run on one host, and only the metrics of the host are recorded."""
    name = spec.metric.name if spec.metric else ""
    if "process_" in name:
        return
    one, other = (
        {each.labels.get("instance", "").rpartition(":")[0] for each in samples.series[name]}
        for samples in (baseline, candidate)
    )
    if one & other - {""}:
        raise UsageError(
            f"{name} is measured for a whole host, and both variants run on "
            f"{', '.join(sorted(one & other))}. Metrics of the processes would be needed."
        )
