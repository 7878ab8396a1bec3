"""Two metrics pages that are read again and again, without a server in between."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from math import inf

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from dualmetrics.experiments.errors import UnreachableError
from dualmetrics.experiments.histograms import from_bucket_series
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.sources.http_requests import send_request
from dualmetrics.experiments.sources.source import MEAN_SUFFIXES, NO_OTHERS, OtherMetrics, VariantSamples
from dualmetrics.runtime.redaction import redact_url

_TIMEOUT_SECONDS = 10.0
_PROCESS_START = "process_start_time_seconds"
_UP = "up"
_JOB = "page"

_LabelPairs = tuple[tuple[str, str], ...]
_Samples = dict[_LabelPairs, list[tuple[float, float]]]
"""The (time, value) pairs of each series."""


class Pages:
    """The metrics pages of both variants. Call `watch` before anything else.

    ``urls`` has the address of each variant's page; ``headers`` are sent with each request.
    """

    def __init__(self, urls: dict[str, str], headers: dict[str, str] | None = None) -> None:
        self._urls = urls
        self._headers = headers or {}
        self._samples: dict[str, _Samples] = {variant: defaultdict(list) for variant in urls}
        self._first_read = inf
        self._once = False

    def watch(
        self, seconds: float, interval: float, progress: Callable[[float], None] = lambda _: None
    ) -> None:
        """Read both pages every ``interval`` seconds for ``seconds``.

        ``progress`` is called with the seconds that have passed. With 0 seconds each page is read once, and
        everything since the start of its app is counted. Raises `UnreachableError` if a page cannot be read
        the first time; later failures count as failed scrapes.
        """
        started = time.monotonic()
        self._once = seconds == 0
        self._read_pages(required=True)
        while (passed := time.monotonic() - started) < seconds:
            progress(passed)
            rounds = passed // interval + 1
            time.sleep(max(0.0, started + min(rounds * interval, seconds) - time.monotonic()))
            self._read_pages(required=False)
        progress(seconds)

    def now(self) -> float:
        """Return the time when the pages were last read."""
        series = (pairs for samples in self._samples.values() for pairs in samples.values())
        return max((at for pairs in series for at, _ in pairs), default=0.0)

    def began(self, names: Names) -> float:
        """Return the time when the pages were first read, or just before that if they were read only once."""
        return self._first_read - 1.0 if self._once else self._first_read

    def names(self, start: float, end: float) -> Collection[str]:
        """Return the names of the metrics on either page."""
        return {dict(labels)["__name__"] for samples in self._samples.values() for labels in samples}

    def read(
        self,
        variant: str,
        names: Names,
        start: float,
        end: float,
        step: float = 0.0,
        others: OtherMetrics = NO_OTHERS,
    ) -> VariantSamples:
        """Return all samples of one page."""
        series = [_sampled_series(labels, pairs) for labels, pairs in self._samples[variant].items()]
        buckets = [each for each in series if names.duration and each.name == names.bucket]
        sums = [name + suffix for name in others.means for suffix in MEAN_SUFFIXES]
        return VariantSamples(
            requests=_named(series, names.requests),
            durations=from_bucket_series(buckets),
            up=_named(series, _UP),
            process_starts=[self._just_started(variant)] if self._once else _named(series, _PROCESS_START),
            series={name: _named(series, name) for name in (*others.counters, *others.gauges, *sums)},
            histograms={
                name: from_bucket_series(_named(series, f"{name}_bucket")) for name in others.histograms
            },
        )

    def _just_started(self, variant: str) -> SampledSeries:
        """Return the start of a process that counts as a part of the window, whenever it was."""
        labels = {"job": _JOB, "instance": self._urls[variant]}
        return SampledSeries(labels, np.array([self._first_read]), np.array([inf]))

    def _read_pages(self, *, required: bool) -> None:
        for variant, url in self._urls.items():
            now = time.time()
            self._first_read = min(self._first_read, now)
            page = self._fetch(url, required=required)
            target = {"job": _JOB, "instance": url}
            samples = self._samples[variant]
            samples[_sorted_pairs({"__name__": _UP} | target)].append((now, float(page is not None)))
            for labels, value in page or ():
                samples[_sorted_pairs(labels | target)].append((now, value))

    def _fetch(self, url: str, *, required: bool) -> list[tuple[dict[str, str], float]] | None:
        try:
            return _parse(url, send_request("GET", url, _TIMEOUT_SECONDS, headers=self._headers))
        except UnreachableError:
            if required:
                raise
            return None


def _parse(url: str, response: httpx.Response) -> list[tuple[dict[str, str], float]]:
    if not response.is_success:
        raise UnreachableError(f"{redact_url(url)} answers with status {response.status_code}.")
    try:
        return [
            ({**sample.labels, "__name__": sample.name}, float(sample.value))
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        ]
    except Exception as error:  # the parser raises many kinds
        raise UnreachableError(f"{redact_url(url)} is no metrics page: {error!r}.") from error


def _sorted_pairs(labels: dict[str, str]) -> _LabelPairs:
    return tuple(sorted(labels.items()))


def _named(series: list[SampledSeries], name: str | None) -> list[SampledSeries]:
    return [each for each in series if each.name == name]


def _sampled_series(labels: _LabelPairs, pairs: list[tuple[float, float]]) -> SampledSeries:
    samples = np.array(pairs)
    return SampledSeries(dict(labels), samples[:, 0], samples[:, 1])
