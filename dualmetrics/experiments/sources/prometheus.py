"""The raw samples that a Prometheus server has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.histograms import from_bucket_series
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, Target, target_of
from dualmetrics.experiments.sources.collected import Collected, QueryResult
from dualmetrics.experiments.sources.prometheus_client import PrometheusClient
from dualmetrics.experiments.sources.sample_reader import LOOKBACK, SampleReader
from dualmetrics.experiments.sources.source import (
    MEAN_SUFFIXES,
    NO_OTHERS,
    SEARCHED_SECONDS,
    OtherMetrics,
    VariantSamples,
)
from dualmetrics.runtime.redaction import redact_url

EVERY_SAMPLE_SECONDS = 7200.0
"""In windows up to this length every sample is read."""
_GAUGE_PIECE_SECONDS = 21600.0
_STEP = 60.0


class _Span(NamedTuple):
    """What is read of one variant: the samples between two times, or those at each step if it is not 0."""

    variant: str
    start: float
    end: float
    step: float


class Prometheus:
    """One experiment on one server, found by the labels ``experiment`` and ``variant``."""

    def __init__(
        self,
        url: str,
        experiment: str,
        *,
        headers: dict[str, str] | None = None,
        experiment_label: str = "experiment",
        variant_label: str = "variant",
    ) -> None:
        self.url = url
        self.experiment = experiment
        self._client = PrometheusClient(url, headers or {})
        self._reader = SampleReader(self._client)
        self._experiment_label = experiment_label
        self._variant_label = variant_label

    def now(self) -> float:
        """Return the time by the server's clock."""
        with self._client.reading_answers():
            return float(self._client.query("time()")[1])

    def began(self, names: Names) -> float:
        """Return the time of the experiment's first sample in the last seven days.

        Without any sample, returns the present time less a minute. A range query finds the minute of the
        first sample; the raw samples of that minute give the exact time.
        """
        with self._client.reading_answers():
            return self._first_sample(names, self.now())

    def _first_sample(self, names: Names, now: float) -> float:
        selector = self._selector(None)
        counters = (names.requests or f"{names.duration}_count", names.duration)
        selectors = (
            [f"{counter}{selector}" for counter in counters if counter] if names.recorded else [selector]
        )
        query = " or ".join(f"group({each})" for each in selectors)
        groups = self._client.query_range(query, now - SEARCHED_SECONDS, now, _STEP)
        minute = min((float(each["values"][0][0]) for each in groups), default=now)
        series = [each for selector in selectors for each in self._raw(selector, minute, 2 * _STEP)]
        return min((_first_time(each) for each in series), default=now - _STEP)

    def names(self, start: float, end: float) -> Collection[str]:
        """Return the metrics of the experiment. Raises `InvalidExperimentError` if it is not known."""
        recorded = self._values("__name__", start - LOOKBACK, end)
        if not recorded:
            raise InvalidExperimentError(self._unknown_experiment(start, end))
        return recorded

    def variants(self, start: float, end: float) -> Collection[str]:
        """Return the variants of the experiment."""
        return self._values(self._variant_label, start - LOOKBACK, end)

    def read(
        self,
        variant: str,
        names: Names,
        start: float,
        end: float,
        step: float = 0.0,
        others: OtherMetrics = NO_OTHERS,
    ) -> VariantSamples:
        """Read the requests and durations, the scrapes of their targets, and the start of their processes."""
        with self._client.reading_answers():
            return self._read(_Span(variant, start, end, step), names, others)

    def _read(self, span: _Span, names: Names, others: OtherMetrics) -> VariantSamples:
        variant, start, end, _ = span
        requests = self._counters(names.requests, span) if names.requests else []
        durations = self._histograms(names.duration, span) if names.duration else []
        series = {name: self._counters(name, span) for name in others.counters}
        series |= {name: self._gauges(name + self._selector(variant), start, end) for name in others.gauges}
        for name in others.means:
            series |= self._sums_and_counts(name, span)
        histograms = {name: self._histograms(name, span) for name in others.histograms}
        labels = [each.labels for many in (requests, *series.values()) for each in many]
        labels += [each.labels for many in (durations, *histograms.values()) for each in many]
        targets = set(map(target_of, labels))
        up_of_variant = self._gauges(f"up{self._selector(variant)}", start, end)
        up = _one_per_target(*self._gauges_of_targets("up", targets, start, end), *up_of_variant)
        collected = targets - {target_of(each.labels) for each in up}
        scraped = targets - collected
        process_starts = self._gauges_of_targets("process_start_time_seconds", scraped, start, end)
        process_starts += self._gauges_of_collected("process_start_time_seconds", collected, start, end)
        seen = self._gauges_of_collected("target_info", collected, start, end)
        return VariantSamples(requests, durations, up, process_starts, seen, series, histograms)

    def _unknown_experiment(self, start: float, end: float) -> str:
        with self._client.reading_answers():
            experiments = ", ".join(self._client.values(self._experiment_label, None, start - LOOKBACK, end))
        hint = f"it knows {experiments}" if experiments else "no series in that time has that label"
        return f"{redact_url(self.url)} knows no experiment {self.experiment!r} in the window; {hint}."

    def _values(self, label: str, start: float, end: float) -> list[str]:
        with self._client.reading_answers():
            return self._client.values(label, self._selector(None), start, end)

    def _selector(self, variant: str | None, **more: str) -> str:
        labels = {self._experiment_label: self.experiment, **more}
        if variant is not None:
            labels[self._variant_label] = variant
        return _selector(labels)

    def _counters(self, name: str, span: _Span) -> list[SampledSeries]:
        selector = name + self._selector(span.variant)
        return list(self._samples(selector, selector, span).series())

    def _histograms(self, metric: str, span: _Span) -> list[SampledHistogram]:
        """Read classic histograms, or native ones if there are no classic ones."""
        bucket = f"{metric}_bucket"
        count = bucket + self._selector(span.variant, le="+Inf")
        classic = self._samples(bucket + self._selector(span.variant), count, span).series()
        return from_bucket_series(classic) or list(self._native(metric, span).histograms())

    def _native(self, metric: str, span: _Span) -> Collected:
        selector = metric + self._selector(span.variant)
        return self._samples(selector, selector, span)

    def _sums_and_counts(self, metric: str, span: _Span) -> dict[str, list[SampledSeries]]:
        """Read the sums and the counts of a classic histogram, or of a native one."""
        names = [metric + suffix for suffix in MEAN_SUFFIXES]
        classic = {name: self._counters(name, span) for name in names}
        if any(classic.values()):
            return classic
        pairs = list(self._native(metric, span).sums_and_counts())
        return {name: [pair[index] for pair in pairs] for index, name in enumerate(names)}

    def _samples(self, selector: str, counts: str, span: _Span) -> Collected:
        """Read every sample, or those at each step if the window is so long that they are fewer."""
        if span.end - span.start <= EVERY_SAMPLE_SECONDS or not span.step:
            return self._reader.every_sample(selector, span.start - LOOKBACK, span.end)
        return self._reader.at_steps(selector, counts, span.start, span.end, span.step)

    def _gauges(self, selector: str, start: float, end: float) -> list[SampledSeries]:
        """Read every sample, however long the window is. There is one series for each target."""
        return list(self._reader.every_sample(selector, start - LOOKBACK, end, _GAUGE_PIECE_SECONDS).series())

    def _gauges_of_targets(
        self, name: str, targets: Iterable[Target], start: float, end: float
    ) -> list[SampledSeries]:
        return [
            series
            for job, instance in sorted(targets)
            for series in self._gauges(name + _selector({"job": job, "instance": instance}), start, end)
        ]

    def _gauges_of_collected(
        self, name: str, targets: Iterable[Target], start: float, end: float
    ) -> list[SampledSeries]:
        """Read a gauge of targets without ``up``: they are on a Collector's page, which may add a prefix."""
        return [
            series
            for job, instance in sorted(targets)
            for series in self._gauges(_prefixed(name, {"job": job, "instance": instance}), start, end)
        ]

    def _raw(self, selector: str, end: float, seconds: float) -> QueryResult:
        result: QueryResult = self._client.samples(selector, end, seconds)
        return result


def _selector(labels: dict[str, str]) -> str:
    """Return a PromQL selector. JSON's quoting is also PromQL's."""
    return "{" + ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items()) + "}"


def _prefixed(name: str, labels: dict[str, str]) -> str:
    """Return the selector of a metric with any prefix or none."""
    return f'{{__name__=~"(.+_)?{name}",{_selector(labels)[1:]}'


def _one_per_target(*series: SampledSeries) -> list[SampledSeries]:
    return list({target_of(each.labels): each for each in series}.values())


def _first_time(series: dict[str, Any]) -> float:
    samples = series.get("values") or series["histograms"]
    return float(samples[0][0])
