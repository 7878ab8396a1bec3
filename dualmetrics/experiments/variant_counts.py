"""Both variants counted over the same blocks, and the gates that follow from the counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from dualmetrics.experiments.block_counts import BlockCounts, VariantCounter
from dualmetrics.experiments.common_time import requests_at_common_times
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.errors import ExperimentError, InvalidExperimentError, TooEarlyError
from dualmetrics.experiments.gates import Gate, Rules
from dualmetrics.experiments.histograms import shared_bounds
from dualmetrics.experiments.increments import IncrementCounter
from dualmetrics.experiments.judged_gates import (
    error_gate,
    latency_gate,
    measured_gate,
    slow_gate,
)
from dualmetrics.experiments.measurements import Measurement, VariantMeter, measure
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.ramps import Strata, split_moves, step_strata, stratum_weights
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.critical import AnyLook, CriticalValues, OneLook
from dualmetrics.experiments.window import Window

MIN_ROUTE_REQUESTS = 1000
MIN_SCRAPES = 2
CountsPair = tuple[BlockCounts, BlockCounts]
"""The counts of the baseline and of the candidate, in this order."""


@dataclass(frozen=True)
class VariantCounts:
    """The counts of both variants: of all routes together, and of each route that both have."""

    names: Names
    edges: Array
    bounds: Array
    total: CountsPair
    routes: dict[str, CountsPair]
    dropped: int
    """How many series had their first value ignored."""
    at_common_times: tuple[Array, Array]
    """The requests of baseline and candidate in each block of the time that both cover."""
    measurements: list[Measurement] = field(default_factory=list)
    """What the gates on other metrics measure."""
    strata: Strata | None = None
    """The stratum of each block, if the split moves."""

    def gates(
        self, question: Question, critical: CriticalValues, route: CountsPair | None = None
    ) -> list[Gate]:
        """Judge the gates that the question asks for, of one ``route`` or of all routes together.

        Raises `InvalidExperimentError` if the question has ``slo`` and there are no durations.
        """
        pair = self._weighted(route or self.total)
        rules = Rules(question.margins, critical, self.strata is not None)
        others = [] if route else [measured_gate(each, rules) for each in self._measurements()]
        if not self.names.recorded:
            return others
        gates = [error_gate("error ratio", *pair, rules)]
        if all(counts.durations.sum() > 0 for counts in pair):
            return [*gates, *self._duration_gates(question, rules, pair), *others]
        if question.slo and route is None:
            raise InvalidExperimentError("There are no durations, which --slo needs.")
        return gates + others

    def _duration_gates(self, question: Question, rules: Rules, pair: CountsPair) -> list[Gate]:
        latencies = pair[0].latencies(self.bounds), pair[1].latencies(self.bounds)
        slow = [
            slow_gate(threshold * self.names.per_second, format_duration(threshold), *latencies, rules)
            for threshold in question.slo
        ]
        return slow + [latency_gate(q, *latencies, rules) for q in question.quantiles]

    def _weighted(self, pair: CountsPair) -> CountsPair:
        """Weight both variants alike in each stratum, if there are strata."""
        if self.strata is None:
            return pair
        weights = stratum_weights(pair[0].requests, pair[1].requests, self.strata)
        return pair[0].weighted(weights[0]), pair[1].weighted(weights[1])

    def _measurements(self) -> list[Measurement]:
        if self.strata is None:
            return self.measurements
        return [each.stratified(self.strata) for each in self.measurements]

    def first_blocks(self, blocks: int) -> VariantCounts:
        """Return what was known after the first ``blocks`` blocks, without the routes."""
        baseline, candidate = self.total
        common = self.at_common_times[0][:blocks], self.at_common_times[1][:blocks]
        return replace(
            self,
            edges=self.edges[: blocks + 1],
            total=(baseline.first(blocks), candidate.first(blocks)),
            routes={},
            dropped=0,
            at_common_times=common,
            measurements=[each.first(blocks) for each in self.measurements],
            strata=None if self.strata is None else self.strata[:blocks],
        )

    @property
    def comparable(self) -> bool:
        """Whether both variants have requests, and durations if there are bucket bounds."""
        if not self.names.recorded:
            return all(each.is_level or min(map(np.sum, each.units)) > 0 for each in self.measurements)
        return all(
            counts.requests.sum() > 0 and (counts.durations.sum() > 0 or not len(self.bounds))
            for counts in self.total
        )

    def large_routes(self) -> dict[str, CountsPair]:
        """Return the routes with at least `MIN_ROUTE_REQUESTS` requests, the largest first."""
        sizes = {route: sum(each.requests.sum() for each in pair) for route, pair in self.routes.items()}
        large = [route for route, size in sizes.items() if size >= MIN_ROUTE_REQUESTS and self._both(route)]
        return {route: self.routes[route] for route in sorted(large, key=lambda route: -sizes[route])}

    def _both(self, route: str) -> bool:
        return all(counts.requests.sum() > 0 for counts in self.routes[route])


def count_variants(
    baseline: VariantSamples, candidate: VariantSamples, names: Names, window: Window, question: Question
) -> VariantCounts:
    """Count both variants over the same blocks. Raises an `ExperimentError` if that is not possible."""
    pair, variants = (baseline, candidate), (question.baseline, question.candidate)
    interval = max(each.interval for each in pair)
    edges = _block_edges(interval, window, question)
    durations = [*baseline.durations, *candidate.durations]
    bounds = shared_bounds(durations) if durations else np.array([])
    error = re.compile(question.error_status)
    meters = [
        VariantMeter(variant, each, IncrementCounter(each.scrape_history(window.start), edges))
        for variant, each in zip(variants, pair, strict=True)
    ]
    counters = [VariantCounter(names, error, meter.counter, bounds) for meter in meters]
    totals = [_count_requests(*each, window) for each in zip(counters, meters, strict=True)]
    requests = totals[0].requests, totals[1].requests
    common = requests_at_common_times(counters[0].moments, counters[1].moments, edges)
    return VariantCounts(
        names=names,
        edges=edges,
        bounds=bounds,
        total=(totals[0], totals[1]),
        routes=_shared_routes(*counters),
        at_common_times=common,
        measurements=list(measure(question.gates, (meters[0], meters[1]), requests, window)),
        strata=_strata(question, edges, interval, common),
        dropped=sum(meter.counter.dropped for meter in meters),
    )


def _count_requests(counter: VariantCounter, meter: VariantMeter, window: Window) -> BlockCounts:
    counts = counter.count(meter.samples.requests, meter.samples.durations)
    if counter.names.recorded and not counts.requests.sum():
        raise _no_traffic(meter.name, meter.samples, window)
    return counts


def _strata(question: Question, edges: Array, interval: float, common: tuple[Array, Array]) -> Strata | None:
    """Return the steps of the declared ramp. If the split moves without one, each block is a stratum."""
    if question.ramp:
        return step_strata(question.ramp, edges, interval)
    return np.arange(len(edges) - 1) if split_moves(*common) else None


def _no_traffic(variant: str, samples: VariantSamples, window: Window) -> ExperimentError:
    """Return the error for a variant without requests: more data may mend it, unless the window is over."""
    scrapes = int(((samples.times >= window.start) & (samples.times <= window.end)).sum())
    if scrapes < MIN_SCRAPES:
        return TooEarlyError(
            f"The {variant} has been scraped {scrapes} times in the window; its traffic shows from the "
            "second time on. Look again later."
        )
    if window.early:
        return TooEarlyError(f"The {variant} has had no traffic yet; look again later.")
    return InvalidExperimentError(f"The {variant} had no traffic in the window.")


def _block_edges(interval: float, window: Window, question: Question) -> Array:
    edges = window.sequential_edges(interval) if question.sequential else window.edges(interval)
    if len(edges) < 2:
        raise TooEarlyError("The first block of the declared window is not complete yet; look again later.")
    return edges


def _shared_routes(baseline: VariantCounter, candidate: VariantCounter) -> dict[str, CountsPair]:
    shared = [route for route in baseline.routes if route in candidate.routes]
    return {route: (baseline.routes[route], candidate.routes[route]) for route in shared}


def critical_values(question: Question, window: Window) -> CriticalValues:
    """Return the critical values for one look, or for a sequence of looks if the question asks for it."""
    return AnyLook(window.fraction) if question.sequential else OneLook()
