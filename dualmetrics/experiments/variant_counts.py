"""Both variants counted over the same blocks, and the gates that follow from the counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dualmetrics.experiments.block_counts import BlockCounts, VariantCounter
from dualmetrics.experiments.common_time import requests_at_common_times
from dualmetrics.experiments.errors import ExperimentError, InvalidExperimentError, TooEarlyError
from dualmetrics.experiments.gates import Gate, error_gate, latency_gate, slow_gate
from dualmetrics.experiments.histograms import shared_bounds
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.question import Question
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

    def gates(
        self, question: Question, critical: CriticalValues, route: CountsPair | None = None
    ) -> list[Gate]:
        """Judge the gates that the question asks for, of one ``route`` or of all routes together.

        Raises `InvalidExperimentError` if the question has ``slo`` and there are no durations.
        """
        pair = route or self.total
        gates = [error_gate("error ratio", *pair, question.margins, critical)]
        if all(counts.durations.sum() > 0 for counts in pair):
            return [*gates, *self._duration_gates(question, critical, pair)]
        if question.slo and route is None:
            raise InvalidExperimentError("There are no durations, which --slo needs.")
        return gates

    def _duration_gates(self, question: Question, critical: CriticalValues, pair: CountsPair) -> list[Gate]:
        margins = question.margins
        slow = [
            slow_gate(
                threshold * self.names.per_second,
                f"{threshold * 1000:g}ms",
                self.bounds,
                pair,
                margins,
                critical,
            )
            for threshold in question.slo
        ]
        return slow + [latency_gate(q, self.bounds, pair, margins, critical) for q in question.quantiles]

    def first_blocks(self, blocks: int) -> VariantCounts:
        """Return what was known after the first ``blocks`` blocks, without the routes."""
        baseline, candidate = self.total
        pair = baseline.first(blocks), candidate.first(blocks)
        common = self.at_common_times[0][:blocks], self.at_common_times[1][:blocks]
        return VariantCounts(self.names, self.edges[: blocks + 1], self.bounds, pair, {}, 0, common)

    @property
    def comparable(self) -> bool:
        """Whether both variants have requests, and durations if there are bucket bounds."""
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
    """Count both variants over the same blocks.

    Raises `InvalidExperimentError` if the samples cannot be counted or a variant has no requests, and
    `TooEarlyError` if a sequential look comes before the first block is complete.
    """
    edges = _block_edges(max(baseline.interval, candidate.interval), window, question)
    durations = [*baseline.durations, *candidate.durations]
    bounds = shared_bounds(durations) if durations else np.array([])
    error = re.compile(question.error_status)
    counters = [
        VariantCounter(names, error, samples.scrape_history(window.start), edges, bounds)
        for samples in (baseline, candidate)
    ]
    total = (
        counters[0].count(baseline.requests, baseline.durations),
        counters[1].count(candidate.requests, candidate.durations),
    )
    for variant, samples, counts in zip(
        (question.baseline, question.candidate), (baseline, candidate), total, strict=True
    ):
        if not counts.requests.sum():
            raise _no_traffic(variant, samples, window)
    dropped = sum(counter.dropped for counter in counters)
    common = requests_at_common_times(counters[0].moments, counters[1].moments, edges)
    return VariantCounts(names, edges, bounds, total, _shared_routes(*counters), dropped, common)


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
