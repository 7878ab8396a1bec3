"""The raw samples that a Prometheus server has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.histograms import from_bucket_series, from_native_samples
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, Target, target_of
from dualmetrics.experiments.sources.chunks import Chunks
from dualmetrics.experiments.sources.prometheus_client import PrometheusClient
from dualmetrics.experiments.sources.source import VariantSamples

LOOKBACK = 300.0
"""How many seconds before the window a counter's last value is searched."""
_SEVEN_DAYS = 7 * 86400.0
_STEP = 60.0

_Result = Sequence[dict[str, Any]]
"""The result of a range query, as JSON: a dictionary for each series."""


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
        self._experiment_label = experiment_label
        self._variant_label = variant_label

    def now(self) -> float:
        """Return the time by the server's clock."""
        return float(self._client.query("time()")[1])

    def began(self, names: Names) -> float:
        """Return the time of the experiment's first sample in the last seven days.

        Without any sample, returns the present time less a minute. A range query finds the minute of the
        first sample; the raw samples of that minute give the exact time.
        """
        now = self.now()
        selector = self._selector(None)
        counters = (names.requests or f"{names.duration}_count", names.duration)
        selectors = [f"{counter}{selector}" for counter in counters if counter]
        query = " or ".join(f"group({each})" for each in selectors)
        groups = self._client.query_range(query, now - _SEVEN_DAYS, now, _STEP)
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

    def read(self, variant: str, names: Names, start: float, end: float) -> VariantSamples:
        """Read the requests and durations, the scrapes of their targets, and the start of their processes."""
        start -= LOOKBACK
        requests = self._counters(names.requests, variant, start, end) if names.requests else []
        durations = self._histograms(names, variant, start, end) if names.duration else []
        targets = {target_of(each.labels) for each in requests}
        targets |= {target_of(each.labels) for each in durations}
        up_of_variant = self._series(f"up{self._selector(variant)}", start, end)
        up = _one_per_target(*self._series_of_targets("up", targets, start, end), *up_of_variant)
        process_starts = self._series_of_targets("process_start_time_seconds", targets, start, end)
        process_start = {target_of(each.labels): float(each.values[0]) for each in process_starts}
        return VariantSamples(requests, durations, up, process_start)

    def _unknown_experiment(self, start: float, end: float) -> str:
        experiments = ", ".join(self._client.values(self._experiment_label, None, start - LOOKBACK, end))
        hint = f"it knows {experiments}" if experiments else "no series in that time has that label"
        return f"{self.url} knows no experiment {self.experiment!r} in the window; {hint}."

    def _values(self, label: str, start: float, end: float) -> list[str]:
        return self._client.values(label, self._selector(None), start, end)

    def _selector(self, variant: str | None) -> str:
        labels = {self._experiment_label: self.experiment}
        if variant is not None:
            labels[self._variant_label] = variant
        return _selector(labels)

    def _counters(self, name: str, variant: str, start: float, end: float) -> list[SampledSeries]:
        return self._series(name + self._selector(variant), start, end)

    def _histograms(self, names: Names, variant: str, start: float, end: float) -> list[SampledHistogram]:
        """Read classic histograms, or native ones if there are no classic ones."""
        chunks = Chunks(start, end)
        selector = self._selector(variant)
        for piece_end, seconds in chunks.spans():
            buckets = self._raw(names.bucket + selector, piece_end, seconds)
            chunks.add_histograms(from_bucket_series(_float_series(buckets)))
        if chunks.empty:
            return list(_native_histograms(self._raw(f"{names.duration}{selector}", end, end - start)))
        return chunks.histograms()

    def _series_of_targets(
        self, name: str, targets: Iterable[Target], start: float, end: float
    ) -> list[SampledSeries]:
        series: list[SampledSeries] = []
        for job, instance in sorted(targets):
            series += self._series(name + _selector({"job": job, "instance": instance}), start, end)
        return series

    def _series(self, selector: str, start: float, end: float) -> list[SampledSeries]:
        chunks = Chunks(start, end)
        for piece_end, seconds in chunks.spans():
            chunks.add(_float_series(self._raw(selector, piece_end, seconds)))
        return chunks.series()

    def _raw(self, selector: str, end: float, seconds: float) -> _Result:
        result: _Result = self._client.query(f"{selector}[{max(1, round(seconds * 1000))}ms]", end)
        return result


def _selector(labels: dict[str, str]) -> str:
    """Return a PromQL selector. JSON's quoting is also PromQL's."""
    return "{" + ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items()) + "}"


def _one_per_target(*series: SampledSeries) -> list[SampledSeries]:
    return list({target_of(each.labels): each for each in series}.values())


def _first_time(series: dict[str, Any]) -> float:
    samples = series.get("values") or series["histograms"]
    return float(samples[0][0])


def _float_series(result: _Result) -> Iterator[SampledSeries]:
    """Yield the series that have ordinary samples, not native histograms."""
    for series in result:
        if series.get("values"):
            samples = np.array(series["values"], dtype=np.float64)
            yield SampledSeries(series["metric"], samples[:, 0], samples[:, 1])


def _native_histograms(result: _Result) -> Iterator[SampledHistogram]:
    for series in result:
        samples = [(float(at), _buckets(histogram)) for at, histogram in series.get("histograms", ())]
        if samples:
            yield from_native_samples(series["metric"], samples)


def _buckets(histogram: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Return the (low, high, count) of each bucket. The first element says which bound is inclusive."""
    return [
        (float(low), float(high), float(count)) for _rule, low, high, count in histogram.get("buckets", ())
    ]
