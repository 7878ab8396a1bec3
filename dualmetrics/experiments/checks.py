"""Whether what was recorded may be compared at all, before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.sample_ratio import MISMATCH_ALPHA, sample_ratio_mismatch
from dualmetrics.experiments.window import Window

COVERAGE = 0.95
APART = 0.02


class Check(NamedTuple):
    """One condition: whether it holds, and what was seen."""

    name: str
    holds: bool
    seen: str


def check_scrapes(recordings: Sequence[VariantSamples], window: Window) -> Check:
    """Both variants were scraped at least 95 % of the time, and alike."""
    shares = [coverage(each, window) for each in recordings]
    if None in shares:
        return Check("scrapes", True, "not checked: the source has no `up`")
    known = [share for share in shares if share is not None]
    holds = min(known) >= COVERAGE and max(known) - min(known) <= APART
    seen = f"{known[0]:.1%} of the baseline's came, {known[1]:.1%} of the candidate's"
    return Check("scrapes", holds, seen)


def coverage(recording: VariantSamples, window: Window) -> float | None:
    """The part of the expected scrapes that succeeded; None if that cannot be known."""
    found = [_within(each, window) for each in recording.up]
    expected = sum(_expected(times, recording.interval) for times, _ in found)
    return min(1.0, float(sum(values.sum() for _, values in found)) / expected) if expected else None


def _within(series: SampledSeries, window: Window) -> tuple[Array, Array]:
    inside = (series.times >= window.start) & (series.times <= window.end)
    return series.times[inside], series.values[inside]


def _expected(times: Array, interval: float) -> float:
    if len(times) < 2 or interval <= 0:
        return float(len(times))
    return 1.0 + float(np.maximum(np.round(np.diff(times) / interval), 1.0).sum())


def check_overlap(recordings: Sequence[VariantSamples], window: Window) -> Check:
    """Both variants have samples from the begin of the window to its end."""
    if all(len(each.times) == 1 for each in recordings):
        return Check("overlap", True, "not checked: each was looked at once")
    spans = [_span(each, window) for each in recordings]
    slack = 2 * max(each.interval for each in recordings)
    both = min(last for _, last in spans) - max(first for first, _ in spans) + slack
    share = min(1.0, max(0.0, both / window.seconds))
    return Check("overlap", share >= COVERAGE, f"both have samples in {share:.1%} of the window")


def _span(recording: VariantSamples, window: Window) -> tuple[float, float]:
    times = recording.times
    inside = times[(times >= window.start - recording.interval) & (times <= window.end)]
    return (float(inside[0]), float(inside[-1])) if len(inside) else (window.end, window.start)


def check_bounds(recordings: Sequence[VariantSamples], bounds: Array) -> Check:
    """All histograms have the same buckets; else only the bounds that all have are used."""
    lengths = {len(each.bounds) for recording in recordings for each in recording.durations}
    if lengths <= {len(bounds)}:
        return Check("buckets", True, f"{len(bounds)} bounds, the same everywhere")
    return Check("buckets", True, f"they differ; the {len(bounds)} bounds that all have are used")


def check_split(candidate: Array, baseline: Array, share: float | None) -> Check:
    """Requests fell to the variants as the split declared."""
    seen = candidate.sum() / (candidate.sum() + baseline.sum())
    if share is None:
        return Check("split", True, f"not checked: none was declared; the candidate took {seen:.2%}")
    found = sample_ratio_mismatch(candidate, baseline, share)
    said = f"the candidate took {seen:.2%}, declared {share:.2%}, p = {found.p:.2g}"
    return Check("split", not found.found, said + (f" < {MISMATCH_ALPHA:g}" if found.found else ""))
