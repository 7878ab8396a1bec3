"""Classic and native histograms, brought to common bucket bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dualmetrics.experiments.errors import InvalidExperimentError
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array

_SeriesByBound = dict[float, SampledSeries]
NativeBucket = Sequence[float | str]
"""The lower bound, the upper bound and the count, as numbers or as JSON has them."""
NativeSample = tuple[float, Sequence[NativeBucket]]
"""The time and the buckets."""

_RELATIVE_ERROR = 1e-9
"""Two bounds that differ by less than this part of their value are the same bound."""


def from_bucket_series(buckets: Iterable[SampledSeries]) -> list[SampledHistogram]:
    """Combine series ``..._bucket`` that differ only in ``le`` into classic histograms.

    Raises `InvalidExperimentError` if a histogram has no ``+Inf`` bucket, or a bound is not a number.
    """
    groups: dict[tuple[tuple[str, str], ...], _SeriesByBound] = defaultdict(dict)
    for series in buckets:
        labels = tuple(sorted((key, value) for key, value in series.labels.items() if key != "le"))
        groups[labels][_upper_bound(series)] = series
    return [
        histogram
        for labels, by_bound in groups.items()
        for histogram in _combine_buckets(dict(labels), by_bound)
    ]


def _upper_bound(series: SampledSeries) -> float:
    try:
        bound = float(series.labels["le"])
    except (KeyError, ValueError):
        bound = np.nan
    if np.isnan(bound):
        raise InvalidExperimentError(f"{series.name} has a bucket whose bound `le` is not a number.")
    return bound


def _combine_buckets(labels: SampleLabels, by_bound: _SeriesByBound) -> Iterator[SampledHistogram]:
    """Yield a histogram for each set of bounds. There are two if a new process has other bounds."""
    bounds = np.array(sorted(by_bound))
    times = np.unique(np.concatenate([series.times for series in by_bound.values()]))
    cumulative = np.full((len(times), len(bounds)), np.nan)
    for column, bound in enumerate(bounds):
        cumulative[np.searchsorted(times, by_bound[bound].times), column] = by_bound[bound].values
    present, which = np.unique(~np.isnan(cumulative), axis=0, return_inverse=True)
    for number, columns in enumerate(present):
        if not columns.any() or bounds[columns][-1] != np.inf:
            name = labels.get("__name__", "A metric")
            raise InvalidExperimentError(f"{name} has a histogram without a +Inf bucket.")
        rows = which.reshape(-1) == number
        counts = np.maximum(np.diff(cumulative[rows][:, columns], axis=1, prepend=0.0), 0.0)
        yield SampledHistogram(labels, times[rows], bounds[columns][:-1], counts)


def from_native_samples(labels: SampleLabels, samples: Sequence[NativeSample]) -> SampledHistogram:
    """Combine native samples into one histogram with the bounds of the coarsest schema among them.

    The bounds of schema ``s`` are the powers of ``2 ** 2 ** -s``. The bounds of a coarser schema are a subset
    of those of a finer one, so only resolution is lost.
    """
    rows = np.repeat(np.arange(len(samples)), [len(buckets) for _, buckets in samples])
    flat = [bucket for _, buckets in samples for bucket in buckets]
    low, high, count = np.array(flat, dtype=np.float64).reshape(-1, 3).T
    bounds = 2.0 ** _bound_exponents(low, high)
    counts = np.zeros((len(samples), len(bounds) + 1))
    np.add.at(counts, (rows, np.searchsorted(bounds, high * (1 - _RELATIVE_ERROR))), count)
    return SampledHistogram(labels, np.array([time for time, _ in samples]), bounds, counts)


def join_native(pieces: Sequence[SampledHistogram]) -> tuple[Array, list[Array]]:
    """Return bounds for all pieces of one native histogram, and the counts of each piece in these buckets.

    The first bucket of every piece holds only the values around 0, wherever its bound is.
    """
    known = [piece.bounds for piece in pieces if len(piece.bounds) > 1] or [pieces[0].bounds]
    coarsest = max(known, key=lambda bounds: float(bounds[-1] / bounds[-2]) if len(bounds) > 1 else 0.0)
    bounds = _extend(coarsest, min(each[0] for each in known), max(each[-1] for each in known))
    joined = [rebucket(piece, bounds) for piece in pieces]
    for counts, piece in zip(joined, pieces, strict=True):
        lowest = int(np.searchsorted(bounds * (1 + _RELATIVE_ERROR), piece.bounds[0]))
        counts[:, min(lowest, len(bounds))] -= piece.counts[:, 0]
        counts[:, 0] += piece.counts[:, 0]
    return bounds, joined


def _bound_exponents(low: Array, high: Array) -> Array:
    """Return the base-2 logarithms of all bounds from the lowest to the highest that is used."""
    used = low > 0
    if not used.any():
        return np.array([0.0])
    step = 2.0 ** round(np.log2(float(np.log2(high[used] / low[used]).max())))
    lowest = np.floor(float(np.log2(low[used]).min()) / step + 1e-6)
    highest = np.ceil(float(np.log2(high[used]).max()) / step - 1e-6)
    return np.asarray(np.arange(lowest, highest + 1) * step, dtype=np.float64)


def shared_bounds(histograms: Sequence[SampledHistogram]) -> Array:
    """Return the bounds that all histograms have. Raises `InvalidExperimentError` if there are none.

    A native histogram has only the buckets that its values need. Its schema defines the bounds beyond them,
    and those count too.
    """
    if not all(len(histogram.bounds) for histogram in histograms):
        raise InvalidExperimentError("A histogram has no bucket but +Inf.")
    low = min(float(histogram.bounds[0]) for histogram in histograms)
    high = max(float(histogram.bounds[-1]) for histogram in histograms)
    shared: Array | None = None
    for histogram in histograms:
        bounds = _extend(histogram.bounds, low, high) if _is_native(histogram) else histogram.bounds
        shared = bounds if shared is None else shared[_are_among(shared, bounds)]
    if shared is None or not len(shared):
        raise InvalidExperimentError("The variants' histograms have no bucket bound in common.")
    return shared


def _is_native(histogram: SampledHistogram) -> bool:
    """Only classic histograms come from series named ``..._bucket``."""
    return not histogram.labels.get("__name__", "").endswith("_bucket")


def _extend(bounds: Array, low: float, high: float) -> Array:
    step = float(np.log2(bounds[1] / bounds[0])) if len(bounds) > 1 else 1.0
    first = np.floor(np.log2(low) / step + 1e-6)
    return np.asarray(2.0 ** (np.arange(first, np.ceil(np.log2(high) / step - 1e-6) + 1) * step))


def _are_among(bounds: Array, others: Array) -> Array:
    after = np.clip(np.searchsorted(others, bounds), 0, len(others) - 1)
    before = np.clip(after - 1, 0, None)
    distance = np.minimum(np.abs(others[after] - bounds), np.abs(others[before] - bounds))
    return np.asarray(distance <= _RELATIVE_ERROR * bounds)


def rebucket(histogram: SampledHistogram, bounds: Array) -> Array:
    """Return the histogram's counts in the coarser buckets of ``bounds``, a subset of its own bounds."""
    new_bucket = np.searchsorted(bounds * (1 + _RELATIVE_ERROR), histogram.bounds)
    counts = np.zeros((len(histogram.counts), len(bounds) + 1))
    np.add.at(counts.T, np.append(new_bucket, len(bounds)), histogram.counts.T)
    return counts
