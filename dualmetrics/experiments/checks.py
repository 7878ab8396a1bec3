"""The checks that decide whether the recorded data may be compared at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.ramps import RampStep, Strata
from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.sources.source import VariantSamples
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.autocorrelation import MIN_BLOCKS
from dualmetrics.experiments.statistics.sample_ratio import (
    MISMATCH_ALPHA,
    sample_ratio_mismatch,
    step_mismatches,
)
from dualmetrics.experiments.window import Window

MIN_COVERAGE = 0.95
"""The share of the expected scrapes, and of the window, that must be there."""
MAX_COVERAGE_DIFFERENCE = 0.02
_NO_UP = (
    "not checked: the targets of the variants have no `up`, as behind a Collector. It goes unnoticed when "
    "a variant could not be reached, or did not push; let Prometheus scrape the pages of the variants, too"
)


class Check(NamedTuple):
    """One condition: its name, whether it holds, and what was seen."""

    name: str
    holds: bool
    seen: str
    waits: bool = False
    """Whether more data may still mend it. Until then there is no verdict."""

    @property
    def state(self) -> str:
        """Return "ok", "waiting" or "broken"."""
        return "ok" if self.holds else "waiting" if self.waits else "broken"


def check_scrapes(variants: Sequence[VariantSamples], window: Window) -> Check:
    """Check that at least 95 % of the scrapes of each variant succeeded, and about the same share of both.

    Before the declared end it waits as long as enough scrapes can still follow.
    """
    shares = [_coverage(samples, window) for samples in variants]
    if None in shares:
        return Check("scrapes", True, _NO_UP)
    baseline, candidate = (share for share in shares if share is not None)
    seen = f"{baseline:.1%} of the baseline's scrapes succeeded, {candidate:.1%} of the candidate's"
    at_the_end = (1 - (1 - share) * window.fraction for share in (baseline, candidate))
    return Check("scrapes", _covered(baseline, candidate), seen, _covered(*at_the_end))


def _covered(baseline: float, candidate: float) -> bool:
    return min(baseline, candidate) >= MIN_COVERAGE and abs(baseline - candidate) <= MAX_COVERAGE_DIFFERENCE


def _coverage(samples: VariantSamples, window: Window) -> float | None:
    """Return the share of the expected scrapes that succeeded, or None if it is not known."""
    scrapes = [_inside(series, window) for series in samples.up]
    expected = sum(_expected_scrapes(times, samples.interval) for times, _ in scrapes)
    if not expected:
        return None
    return min(1.0, float(sum(values.sum() for _, values in scrapes)) / expected)


def _inside(series: SampledSeries, window: Window) -> tuple[Array, Array]:
    inside = (series.times >= window.start) & (series.times <= window.end)
    return series.times[inside], series.values[inside]


def _expected_scrapes(times: Array, interval: float) -> float:
    if len(times) < 2 or interval <= 0:
        return float(len(times))
    return 1.0 + float(np.maximum(np.round(np.diff(times) / interval), 1.0).sum())


def check_overlap(variants: Sequence[VariantSamples], window: Window) -> Check:
    """Check that both variants have samples from the start of the window to its end."""
    if all(len(samples.times) == 1 for samples in variants):
        return Check("overlap", True, "not checked: each variant was read once")
    spans = [_span(samples, window) for samples in variants]
    slack = 2 * max(samples.interval for samples in variants)
    overlap = min(last for _, last in spans) - max(first for first, _ in spans) + slack
    share = min(1.0, max(0.0, overlap / window.seconds))
    seen = f"both have samples in {share:.1%} of the window"
    return Check("overlap", share >= MIN_COVERAGE, seen, 1 - (1 - share) * window.fraction >= MIN_COVERAGE)


def _span(samples: VariantSamples, window: Window) -> tuple[float, float]:
    """Return the times of the first and the last sample. Without any, the first is after the last."""
    times = samples.times
    inside = times[(times >= window.start - samples.interval) & (times <= window.end)]
    return (float(inside[0]), float(inside[-1])) if len(inside) else (window.end, window.start)


def check_buckets(variants: Sequence[VariantSamples], bounds: Array) -> Check:
    """Report whether all histograms have the same buckets. If not, only the ``bounds`` of all are used."""
    lengths = {len(histogram.bounds) for samples in variants for histogram in samples.durations}
    if lengths <= {len(bounds)}:
        return Check("buckets", True, f"{len(bounds)} bounds, the same everywhere")
    return Check("buckets", True, f"they differ; the {len(bounds)} bounds that all have are used")


def check_split(requests: Sequence[Array], share: float | None) -> Check:
    """Check that the candidate's ``share`` of the requests is the declared one. None: not declared.

    ``requests`` has those of baseline and candidate in each block. It needs ten blocks to know how much the
    share varies.
    """
    baseline, candidate = requests
    total = float(candidate.sum() + baseline.sum())
    observed = f"the candidate got {candidate.sum() / total:.2%}" if total > 0 else "no requests"
    if share is None:
        return Check("split", True, f"not checked: none was declared; {observed}")
    if len(baseline) < MIN_BLOCKS or not total:
        return Check("split", True, f"not checked yet: it needs {MIN_BLOCKS} blocks of time; {observed}")
    mismatch = sample_ratio_mismatch(candidate, baseline, share)
    seen = f"{observed}, declared {share:.2%}, p = {mismatch.p:.2g}"
    return Check("split", not mismatch.found, seen + (f" < {MISMATCH_ALPHA:g}" if mismatch.found else ""))


def check_ramp(requests: Sequence[Array], ramp: Sequence[RampStep], strata: Strata) -> Check:
    """Check the candidate's share in each step of the ramp. It needs ten blocks in all steps together."""
    if (strata >= 0).sum() < MIN_BLOCKS:
        return Check("split", True, f"not checked yet: it needs {MIN_BLOCKS} blocks of time")
    baseline, candidate = requests
    steps = [number for number in range(len(ramp)) if (baseline + candidate)[strata == number].sum() > 0]
    seen = [_step_seen(number, ramp[number].share, requests, strata) for number in steps]
    p = min(step_mismatches(candidate, baseline, [step.share for step in ramp], strata), default=1.0)
    p = min(1.0, p * len(steps))
    return Check("split", p >= MISMATCH_ALPHA, f"{'; '.join(seen)}; p = {p:.2g}")


def _step_seen(number: int, share: float, requests: Sequence[Array], strata: Strata) -> str:
    baseline, candidate = (float(each[strata == number].sum()) for each in requests)
    observed = candidate / (baseline + candidate)
    return f"step {number + 1}: the candidate got {observed:.2%}, declared {share:.2%}"
