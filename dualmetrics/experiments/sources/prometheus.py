"""A Prometheus server, asked for raw samples."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.histograms import from_bucket_series, from_native_samples
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, Target, target_of
from dualmetrics.experiments.sources.chunks import Chunks, as_arrays
from dualmetrics.experiments.sources.prometheus_client import PrometheusClient
from dualmetrics.experiments.sources.source import VariantSamples

LOOKBACK = 300.0
"""Seconds before the window in which a counter's last value is looked for."""
DAYS = 7 * 86400.0
STEP = 60.0


class Prometheus:
    """One experiment on one server, by the labels ``experiment`` and ``variant``."""

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
        self._labels = experiment_label, variant_label

    def now(self) -> float:
        """By the server's clock."""
        return float(self._client.query("time()")[1])

    def began(self, names: Names) -> float:
        """When the experiment's first sample of the last seven days was taken."""
        newest = self.now()
        selector = self._selector(None)
        counters = (names.requests or f"{names.duration}_count", names.duration)
        either = [f"{counter}{selector}" for counter in counters if counter]
        found = self._client.over_time(
            " or ".join(map("group({})".format, either)), newest - DAYS, newest, STEP
        )
        minute = min((float(each["values"][0][0]) for each in found), default=newest)
        raw = [each for counter in either for each in self._raw(counter, minute, 2 * STEP)]
        return min((float(_samples(each)[0][0]) for each in raw), default=newest - STEP)

    def names(self, start: float, end: float) -> Collection[str]:
        """The metrics of the experiment. Raises `InvalidExperimentError` if there is no such experiment."""
        found = self._values("__name__", start - LOOKBACK, end)
        if not found:
            raise InvalidExperimentError(self._unknown(start, end))
        return found

    def variants(self, start: float, end: float) -> Collection[str]:
        """The variants that there are."""
        return self._values(self._labels[1], start - LOOKBACK, end)

    def read(self, variant: str, names: Names, start: float, end: float) -> VariantSamples:
        """Requests, histograms, the scrapes of their targets, and since when those run."""
        begin = start - LOOKBACK
        requests = self._counters(names.requests, variant, begin, end) if names.requests else []
        durations = self._histograms(names, variant, begin, end) if names.duration else []
        targets = {target_of(each.labels) for each in requests} | {
            target_of(each.labels) for each in durations
        }
        own = f"up{self._selector(variant)}"
        up = self._unique(self._about("up", targets, begin, end), self._series(own, begin, end))
        began = self._about("process_start_time_seconds", targets, begin, end)
        started = {target_of(each.labels): float(each.values[0]) for each in began}
        return VariantSamples(requests, durations, up, started)

    def _unknown(self, start: float, end: float) -> str:
        label = self._labels[0]
        known = ", ".join(self._client.values(label, None, start - LOOKBACK, end))
        there = f"those there are: {known}" if known else "no series in that time has that label"
        return f"{self.url} knows no experiment {self.experiment!r} in the window; {there}."

    def _values(self, label: str, start: float, end: float) -> list[str]:
        return self._client.values(label, self._selector(None), start, end)

    def _selector(self, variant: str | None) -> str:
        experiment, of = self._labels
        pairs = {experiment: self.experiment} | ({of: variant} if variant is not None else {})
        return "{" + ",".join(f"{label}={json.dumps(value)}" for label, value in pairs.items()) + "}"

    def _counters(self, name: str, variant: str, start: float, end: float) -> list[SampledSeries]:
        return self._series(name + self._selector(variant), start, end)

    def _histograms(self, names: Names, variant: str, start: float, end: float) -> list[SampledHistogram]:
        chunks = Chunks(start, end)
        for at, seconds in chunks.spans():
            found = self._raw(names.bucket + self._selector(variant), at, seconds)
            chunks.add_histograms(from_bucket_series(_plain(found)))
        if chunks.empty:
            return list(_natives(self._raw(f"{names.duration}{self._selector(variant)}", end, end - start)))
        return chunks.histograms()

    def _about(self, name: str, targets: Iterable[Target], start: float, end: float) -> list[SampledSeries]:
        found: list[SampledSeries] = []
        for job, instance in sorted(targets):
            labels = f"{{job={json.dumps(job)},instance={json.dumps(instance)}}}"
            found += self._series(name + labels, start, end)
        return found

    @staticmethod
    def _unique(*found: list[SampledSeries]) -> list[SampledSeries]:
        return list({target_of(each.labels): each for several in found for each in several}.values())

    def _series(self, selector: str, start: float, end: float) -> list[SampledSeries]:
        chunks = Chunks(start, end)
        for at, seconds in chunks.spans():
            chunks.add(_plain(self._raw(selector, at, seconds)))
        return chunks.series()

    def _raw(self, selector: str, at: float, seconds: float) -> Sequence[dict[str, Any]]:
        found: Sequence[dict[str, Any]] = self._client.query(
            f"{selector}[{max(1, round(seconds * 1000))}ms]", at
        )
        return found


def _samples(series: dict[str, Any]) -> Sequence[Sequence[Any]]:
    found: Sequence[Sequence[Any]] = series.get("values") or series["histograms"]
    return found


def _plain(result: Sequence[dict[str, Any]]) -> Iterator[SampledSeries]:
    for found in result:
        if found.get("values"):
            times, values = as_arrays(found["values"])
            yield SampledSeries(found["metric"], times, values)


def _natives(result: Sequence[dict[str, Any]]) -> Iterator[SampledHistogram]:
    for found in result:
        samples = [(float(at), _buckets(histogram)) for at, histogram in found.get("histograms", ())]
        if samples:
            yield from_native_samples(found["metric"], samples)


def _buckets(histogram: dict[str, Any]) -> list[tuple[float, float, float]]:
    return [
        (float(low), float(high), float(count)) for _rule, low, high, count in histogram.get("buckets", ())
    ]
