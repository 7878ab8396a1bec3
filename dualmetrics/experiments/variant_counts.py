"""Both variants counted over the same blocks, and the gates that follow."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dualmetrics.experiments.block_counts import BlockCounts, VariantCounter
from dualmetrics.experiments.errors import InvalidExperimentError, TooEarlyError
from dualmetrics.experiments.gates import Gate, error_gate, latency_gate, slow_gate
from dualmetrics.experiments.histograms import shared_bounds
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.critical import AnyLook, CriticalValues, OneLook
from dualmetrics.experiments.window import Window

MIN_ROUTE_REQUESTS = 1000
Pair = tuple[BlockCounts, BlockCounts]


@dataclass(frozen=True)
class VariantCounts:
    """What was counted: ``all`` together and by route, baseline first."""

    names: Names
    edges: Array
    bounds: Array
    total: Pair
    routes: dict[str, Pair]
    dropped: int

    def gates(self, question: Question, critical: CriticalValues, of: Pair | None = None) -> list[Gate]:
        """The gates that the question asks for."""
        pair = of or self.total
        margins = question.margins
        gates = [error_gate("error ratio", *pair, margins, critical)]
        timed = all(tally.durations.sum() > 0 for tally in pair)
        if question.slo and not timed and of is None:
            raise InvalidExperimentError("There are no durations, which --slo needs.")
        for threshold in question.slo if timed else ():
            named = f"{threshold * 1000:g}ms"
            scaled = threshold * self.names.per_second
            gates.append(slow_gate(scaled, named, self.bounds, pair, margins, critical))
        if timed:
            gates += [latency_gate(q, self.bounds, pair, margins, critical) for q in question.quantiles]
        return gates

    def first_blocks(self, blocks: int) -> VariantCounts:
        """What was known after so many blocks."""
        pair = tuple(_first(each, blocks) for each in self.total)
        return VariantCounts(self.names, self.edges[: blocks + 1], self.bounds, (pair[0], pair[1]), {}, 0)

    @property
    def comparable(self) -> bool:
        """Whether both variants have requests, and durations if they have any at the end."""
        return all(
            tally.requests.sum() > 0 and (tally.durations.sum() > 0 or not len(self.bounds))
            for tally in self.total
        )

    def large_routes(self) -> dict[str, Pair]:
        """Routes with enough requests to say anything, the largest first."""
        sizes = {route: sum(each.requests.sum() for each in pair) for route, pair in self.routes.items()}
        found = [route for route, size in sizes.items() if size >= MIN_ROUTE_REQUESTS and self._both(route)]
        return {route: self.routes[route] for route in sorted(found, key=lambda route: -sizes[route])}

    def _both(self, route: str) -> bool:
        return all(each.requests.sum() > 0 for each in self.routes[route])


def count_variants(
    baseline: VariantSamples, candidate: VariantSamples, names: Names, window: Window, question: Question
) -> VariantCounts:
    """Count both.

    Raises `InvalidExperimentError` where that cannot be done, `TooEarlyError` before a first sequential look.
    """
    interval = max(baseline.interval, candidate.interval)
    edges = window.sequential_edges(interval) if question.sequential else window.edges(interval)
    if len(edges) < 2:
        raise TooEarlyError("The first block of the declared window is not over yet; look again later.")
    durations = [*baseline.durations, *candidate.durations]
    bounds = shared_bounds(durations) if durations else np.array([])
    tellers = [
        VariantCounter(
            names, re.compile(question.error_status), each.scrape_history(window.start), edges, bounds
        )
        for each in (baseline, candidate)
    ]
    pair = [
        teller.count(each.requests, each.durations)
        for teller, each in zip(tellers, (baseline, candidate), strict=True)
    ]
    for variant, tally in zip((question.baseline, question.candidate), pair, strict=True):
        if not tally.requests.sum():
            raise InvalidExperimentError(f"The {variant} had no traffic in the window.")
    dropped = sum(teller.dropped for teller in tellers)
    return VariantCounts(names, edges, bounds, (pair[0], pair[1]), _routes(tellers), dropped)


def critical_values(question: Question, window: Window) -> CriticalValues:
    """What the statistics are held against."""
    return AnyLook(window.fraction) if question.sequential else OneLook()


def _routes(tellers: list[VariantCounter]) -> dict[str, Pair]:
    baseline, candidate = (teller.routes for teller in tellers)
    both = [route for route in baseline if route in candidate]
    return {route: (baseline[route], candidate[route]) for route in both}


def _first(tally: BlockCounts, blocks: int) -> BlockCounts:
    return BlockCounts(tally.requests[:blocks], tally.errors[:blocks], tally.durations[:blocks])
