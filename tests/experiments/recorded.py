"""A source whose samples are made up, so that a comparison of any length takes no time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from dualmetrics.experiments import Comparison, Names, Question, Window, compare
from dualmetrics.experiments.metric_names import CLASSIC
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries
from dualmetrics.experiments.sources.source import NO_OTHERS, OtherMetrics, VariantSamples

BOUNDS = np.array([10.0, 50.0, 100.0, 500.0])
INTERVAL = 15.0


class Recorded:
    """Two variants with 25 requests per second each, whose errors and slow requests have given shares."""

    def __init__(
        self,
        seconds: float,
        errors: tuple[float, float] = (0.005, 0.005),
        slow: tuple[float, float] = (0.02, 0.02),
        routes: Sequence[str] = ("/",),
        traffic: tuple[float, float] = (25.0, 25.0),
    ) -> None:
        self.seconds = seconds
        self._routes = routes
        self._of_variant = {
            variant: (errors[number], slow[number], traffic[number])
            for number, variant in enumerate(("baseline", "candidate"))
        }

    def names(self, start: float, end: float) -> Collection[str]:
        return [str(CLASSIC.requests), CLASSIC.bucket]

    def now(self) -> float:
        return self.seconds

    def began(self, names: Names) -> float:
        return 0.0

    def read(
        self,
        variant: str,
        names: Names,
        start: float,
        end: float,
        step: float = 0.0,
        others: OtherMetrics = NO_OTHERS,
    ) -> VariantSamples:
        errors, slow, traffic = self._of_variant[variant]
        random = np.random.default_rng(len(variant))
        times = np.arange(0.0, self.seconds + INTERVAL, INTERVAL)
        requests, durations = [], []
        for route in self._routes:
            served = random.poisson(traffic * INTERVAL, len(times))
            failed = random.binomial(served, errors)
            for status, added in (("200", served - failed), ("500", failed)):
                labels = {"__name__": "http_requests_total", "http_route": route, "http_status_code": status}
                requests.append(SampledSeries(labels, times, added.cumsum().astype(float)))
            above = random.binomial(served, slow)
            rows = np.column_stack([served - above - 1, np.ones_like(served), 0 * above, above, 0 * above])
            labels = {"__name__": CLASSIC.bucket, "http_route": route}
            durations.append(SampledHistogram(labels, times, BOUNDS, rows.cumsum(axis=0).astype(float)))
        up = SampledSeries({"__name__": "up", "variant": variant}, times, np.ones(len(times)))
        return VariantSamples(requests, durations, [up])


def compared(source: Recorded, until: float | None = None, **question: object) -> Comparison:
    """Compare the variants of the source over its whole length."""
    window = Window(0.0, source.seconds, until or source.seconds)
    asked = {"quantiles": (), "slo": (0.1,)} | question
    return compare(source, window, Question(**asked), "shop")  # type: ignore[arg-type]
