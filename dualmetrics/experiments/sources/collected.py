"""Samples that arrive in pieces, as Prometheus' answers have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import numpy as np

from dualmetrics.experiments.histograms import NativeBucket, from_native_samples, join_native
from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array

QueryResult = Sequence[dict[str, Any]]
"""The result of a range, as JSON: a dictionary for each series."""

_LabelKey = tuple[tuple[str, str], ...]
_YEAR_9999 = 253_370_764_800.0
_Piece = tuple[Array, Array]
"""The times and the values."""


class Collected:
    """Joins the pieces of each series and of each native histogram."""

    def __init__(self) -> None:
        self._series: dict[_LabelKey, list[_Piece]] = defaultdict(list)
        self._histograms: dict[_LabelKey, list[SampledHistogram]] = defaultdict(list)
        self._sums: dict[_LabelKey, list[_Piece]] = defaultdict(list)

    def add(self, result: QueryResult) -> None:
        """Add the samples of one answer, in any order. Raises ValueError if they are nonsense."""
        for series in result:
            labels = {str(label): str(value) for label, value in series["metric"].items()}
            key = tuple(sorted(labels.items()))
            if series.get("values"):
                samples = np.array(series["values"], dtype=np.float64)
                _check_times(samples[:, 0])
                self._series[key].append((samples[:, 0], samples[:, 1]))
            if series.get("histograms"):
                pairs = [(float(at), _buckets(histogram)) for at, histogram in series["histograms"]]
                _check_times(np.array([at for at, _ in pairs]))
                self._histograms[key].append(from_native_samples(labels, pairs))
                self._sums[key].append(_sums(series["histograms"]))

    def series(self) -> Iterator[SampledSeries]:
        """Yield each series."""
        for key, pieces in self._series.items():
            yield SampledSeries(dict(key), *_join(pieces))

    def histograms(self) -> Iterator[SampledHistogram]:
        """Yield each native histogram, with the bounds of the coarsest schema among its pieces."""
        for key, pieces in self._histograms.items():
            bounds, counts = join_native(pieces)
            times = [piece.times for piece in pieces]
            yield _joined_histogram(dict(key), bounds, list(zip(times, counts, strict=True)))

    def sums_and_counts(self) -> Iterator[tuple[SampledSeries, SampledSeries]]:
        """Yield the sum and the count of each native histogram."""
        for key, pieces in self._sums.items():
            times, values = _join(pieces)
            yield SampledSeries(dict(key), times, values[:, 0]), SampledSeries(dict(key), times, values[:, 1])


def _sums(histograms: Sequence[tuple[Any, dict[str, Any]]]) -> _Piece:
    times = np.array([float(at) for at, _ in histograms])
    sums = [(float(each.get("sum", "nan")), float(each.get("count", "nan"))) for _, each in histograms]
    return times, np.array(sums)


def _joined_histogram(labels: SampleLabels, bounds: Array, pieces: list[_Piece]) -> SampledHistogram:
    times, counts = _join(pieces)
    return SampledHistogram(labels, times, bounds, counts)


def _join(pieces: list[_Piece]) -> _Piece:
    """Join pieces in the order of time. A sample that is in two of them is kept once."""
    times, first = np.unique(np.concatenate([times for times, _ in pieces]), return_index=True)
    return times, np.concatenate([values for _, values in pieces])[first]


def _buckets(histogram: dict[str, Any]) -> list[NativeBucket]:
    """Return the low, the high and the count of each bucket, without the rule that comes before them.

    Raises ValueError if these are not the buckets of any schema.
    """
    buckets: list[NativeBucket] = [bucket[1:] for bucket in histogram.get("buckets", ())]
    low, high, _ = np.array(buckets, dtype=np.float64).reshape(-1, 3).T
    if not ((-inf < low) & (low < high) & (high < inf) & ((low <= 0) | (high / 2**17 < low))).all():
        raise ValueError("a bucket has the bounds of no schema")
    return buckets


def _check_times(times: Array) -> None:
    if not ((times >= 0) & (times < _YEAR_9999)).all():
        raise ValueError("a sample has no time")
