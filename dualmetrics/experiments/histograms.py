"""Histograms of either kind on common bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array

Grouped = dict[tuple[tuple[str, str], ...], dict[float, SampledSeries]]


def from_bucket_series(buckets: Iterable[SampledSeries]) -> list[SampledHistogram]:
    """Histograms of the series ``..._bucket``, which differ in ``le`` alone."""
    groups: Grouped = defaultdict(dict)
    for series in buckets:
        rest = tuple(sorted((key, value) for key, value in series.labels.items() if key != "le"))
        groups[rest][float(series.labels.get("le", "nan"))] = series
    return [_assembled(dict(labels), found) for labels, found in groups.items()]


def _assembled(labels: SampleLabels, found: dict[float, SampledSeries]) -> SampledHistogram:
    bounds = sorted(found)
    if not bounds or bounds[-1] != np.inf:
        raise InvalidExperimentError(f"{labels.get('__name__', 'a histogram')} has a histogram without +Inf.")
    times = _common([found[bound].times for bound in bounds])
    cumulated = np.stack([_at(found[bound], times) for bound in bounds], axis=1)
    counts = np.maximum(np.diff(cumulated, axis=1, prepend=0.0), 0.0)
    return SampledHistogram(labels, times, np.array(bounds[:-1]), counts)


def _common(times: Sequence[Array]) -> Array:
    found = times[0]
    for each in times[1:]:
        if len(each) != len(found) or not np.array_equal(each, found):
            found = np.intersect1d(found, each)
    return found


def _at(series: SampledSeries, times: Array) -> Array:
    if len(series.times) == len(times):
        return series.values
    return series.values[np.searchsorted(series.times, times)]


def from_native_samples(
    labels: SampleLabels, samples: Sequence[tuple[float, Sequence[tuple[float, float, float]]]]
) -> SampledHistogram:
    """A histogram of native samples: (time, buckets as (low, high, count)), on the coarsest schema seen.

    The bounds of schema ``s`` are the powers of ``2 ** 2 ** -s``; those of a lower one are among those of a
    higher one, so nothing is lost but resolution.
    """
    exponents = _exponents(samples)
    bounds = 2.0**exponents
    counts = np.zeros((len(samples), len(bounds) + 1))
    for row, (_, buckets) in enumerate(samples):
        for _low, high, count in buckets:
            counts[row, np.searchsorted(bounds, high * (1 - 1e-9))] += count
    return SampledHistogram(labels, np.array([time for time, _ in samples]), bounds, counts)


def _exponents(samples: Sequence[tuple[float, Sequence[tuple[float, float, float]]]]) -> Array:
    """The logarithms to base 2 of all bounds between the lowest and the highest that is in use."""
    ends = [(low, high) for _, buckets in samples for low, high, _ in buckets if low > 0]
    if not ends:
        return np.array([0.0])
    step = max(float(np.log2(high / low)) for low, high in ends)
    step = 2.0 ** round(np.log2(step))
    lowest = np.floor(min(np.log2(low) for low, _ in ends) / step + 1e-6)
    highest = np.ceil(max(np.log2(high) for _, high in ends) / step - 1e-6)
    return np.asarray(np.arange(lowest, highest + 1) * step, dtype=np.float64)


def shared_bounds(histograms: Sequence[SampledHistogram]) -> Array:
    """The bounds that all have. Raises `InvalidExperimentError` if there are none."""
    found = _merged_natives(histograms)
    if not len(found):
        raise InvalidExperimentError("The variants' histograms have no bucket bound in common.")
    return found


def _merged_natives(histograms: Sequence[SampledHistogram]) -> Array:
    """Native histograms end where their values do; beyond, all bounds of their schema count."""
    low = min(float(each.bounds[0]) for each in histograms)
    high = max(float(each.bounds[-1]) for each in histograms)
    found: Array | None = None
    for each in histograms:
        bounds = _extended(each.bounds, low, high) if is_native(each) else each.bounds
        found = bounds if found is None else found[_among(found, bounds)]
    return np.array([]) if found is None else found


def is_native(histogram: SampledHistogram) -> bool:
    """Whether this was a native histogram; classic ones are named ``..._bucket``."""
    return not histogram.labels.get("__name__", "").endswith("_bucket")


def _extended(bounds: Array, low: float, high: float) -> Array:
    step = float(np.log2(bounds[1] / bounds[0])) if len(bounds) > 1 else 1.0
    first = np.floor(np.log2(low) / step + 1e-6)
    return np.asarray(2.0 ** (np.arange(first, np.ceil(np.log2(high) / step - 1e-6) + 1) * step))


def _among(found: Array, others: Array) -> Array:
    at = np.clip(np.searchsorted(others, found), 0, len(others) - 1)
    before = np.clip(at - 1, 0, None)
    near = np.minimum(np.abs(others[at] - found), np.abs(others[before] - found))
    return np.asarray(near <= 1e-9 * found)


def rebucket(histogram: SampledHistogram, bounds: Array) -> Array:
    """Its counts in the coarser buckets of ``bounds``, which must be among its own."""
    to = np.searchsorted(bounds * (1 + 1e-9), histogram.bounds)
    counts = np.zeros((len(histogram.counts), len(bounds) + 1))
    np.add.at(counts.T, np.append(to, len(bounds)), histogram.counts.T)
    return counts
