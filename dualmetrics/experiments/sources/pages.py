"""Two pages, read again and again for a while: no server between."""

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
from dualmetrics.experiments.samples import SampledSeries, Target, target_of
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.sources.tls import system_certificates

TIMEOUT = 10.0
START = "process_start_time_seconds"
UP = "up"

Samples = dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]


class Pages:
    """The pages of both variants; `watch` them before they are asked for anything."""

    def __init__(self, urls: dict[str, str], headers: dict[str, str] | None = None) -> None:
        self._urls = urls
        self._headers = headers or {}
        self._samples: dict[str, Samples] = {variant: defaultdict(list) for variant in urls}
        self._first = inf
        self._once = False

    def watch(
        self, seconds: float, interval: float, progress: Callable[[float], None] = lambda _: None
    ) -> None:
        """Read both pages every ``interval`` for so long; ``progress`` is told the seconds that are over.

        With 0 seconds each page is read once, and everything since its app's start is counted.
        Raises `UnreachableError` if a page cannot be read at the first time.
        """
        begun = time.monotonic()
        self._once = seconds == 0
        self._look(must=True)
        while (over := time.monotonic() - begun) < seconds:
            progress(over)
            rounds = over // interval + 1
            time.sleep(max(0.0, begun + min(rounds * interval, seconds) - time.monotonic()))
            self._look(must=False)
        progress(seconds)

    def now(self) -> float:
        """When the pages were read last."""
        return max(
            (at for each in self._samples.values() for of in each.values() for at, _ in of), default=0.0
        )

    def began(self, names: Names) -> float:
        """When the pages were read first; just before that if they were read only once."""
        return self._first - 1.0 if self._once else self._first

    def names(self, start: float, end: float) -> Collection[str]:
        """The metrics on either page."""
        return {dict(labels)["__name__"] for samples in self._samples.values() for labels in samples}

    def read(self, variant: str, names: Names, start: float, end: float) -> VariantSamples:
        """What was read of one page."""
        found = [_series(labels, samples) for labels, samples in self._samples[variant].items()]
        return VariantSamples(
            [each for each in found if each.name == names.requests],
            from_bucket_series(each for each in found if names.duration and each.name == names.bucket),
            [each for each in found if each.name == UP],
            {("page", self._urls[variant]): inf} if self._once else _started(found),
        )

    def _look(self, must: bool) -> None:
        for variant, url in self._urls.items():
            at = time.time()
            self._first = min(self._first, at)
            found = self._page(url, must)
            samples = self._samples[variant]
            own = {"__name__": UP, "job": "page", "instance": url}
            samples[tuple(sorted(own.items()))].append((at, float(found is not None)))
            for labels, value in found or ():
                samples[tuple(sorted({**labels, "job": "page", "instance": url}.items()))].append((at, value))

    def _page(self, url: str, must: bool) -> list[tuple[dict[str, str], float]] | None:
        try:
            response = httpx.get(url, headers=self._headers, timeout=TIMEOUT, verify=system_certificates())
            response.raise_for_status()
            return _parsed(response.text)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            if must:
                raise UnreachableError(f"{url} cannot be read: {str(error).splitlines()[0]}.") from error
            return None


def _parsed(page: str) -> list[tuple[dict[str, str], float]]:
    return [
        ({**sample.labels, "__name__": sample.name}, float(sample.value))
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]


def _started(found: list[SampledSeries]) -> dict[Target, float]:
    return {target_of(each.labels): float(each.values[0]) for each in found if each.name == START}


def _series(labels: tuple[tuple[str, str], ...], samples: list[tuple[float, float]]) -> SampledSeries:
    found = np.array(samples)
    return SampledSeries(dict(labels), found[:, 0], found[:, 1])
