"""Long windows are read in pieces, and only the samples that matter are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array

PIECE_SECONDS = 3600.0
STEPS = 400
"""A long window has so many steps. The last sample of each step and those around each reset are kept."""

_LabelKey = tuple[tuple[str, str], ...]


class Chunks:
    """Collects the samples of a window that arrive in pieces. Windows of more than two pieces are thinned."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end = start, end
        self._thin = end - start > 2 * PIECE_SECONDS
        self._histograms: dict[_LabelKey, list[SampledHistogram]] = defaultdict(list)
        self._series: dict[_LabelKey, list[SampledSeries]] = defaultdict(list)

    @property
    def empty(self) -> bool:
        """Whether nothing has been added."""
        return not self._histograms and not self._series

    def spans(self) -> Iterator[tuple[float, float]]:
        """Yield the end of each piece and its length in seconds."""
        position = self._start
        while position < self._end:
            length = min(PIECE_SECONDS, self._end - position)
            position += length
            yield position, length

    def add(self, series: Iterable[SampledSeries]) -> None:
        """Add the series of one piece."""
        for piece in series:
            keep = self._samples_to_keep(piece.times, piece.values)
            kept = SampledSeries(piece.labels, piece.times[keep], piece.values[keep])
            self._series[_label_key(piece.labels)].append(kept)

    def add_histograms(self, histograms: Iterable[SampledHistogram]) -> None:
        """Add the histograms of one piece."""
        for piece in histograms:
            keep = self._samples_to_keep(piece.times, piece.counts)
            kept = SampledHistogram(piece.labels, piece.times[keep], piece.bounds, piece.counts[keep])
            key = (*_label_key(piece.labels), ("le", str(piece.bounds.tolist())))
            self._histograms[key].append(kept)

    def series(self) -> list[SampledSeries]:
        """Join the pieces of each series."""
        joined = []
        for pieces in self._series.values():
            times, values = join_pieces([each.times for each in pieces], [each.values for each in pieces])
            joined.append(SampledSeries(pieces[0].labels, times, values))
        return joined

    def histograms(self) -> list[SampledHistogram]:
        """Join the pieces of each histogram."""
        joined = []
        for pieces in self._histograms.values():
            times, counts = join_pieces([each.times for each in pieces], [each.counts for each in pieces])
            joined.append(SampledHistogram(pieces[0].labels, times, pieces[0].bounds, counts))
        return joined

    def _samples_to_keep(self, times: Array, values: Array) -> np.typing.NDArray[np.bool_]:
        if not self._thin or len(times) < 2:
            return np.ones(len(times), dtype=bool)
        step = np.floor((times - self._start) / (self._end - self._start) * STEPS)
        decreased = np.diff(values, axis=0) < 0
        reset = decreased if values.ndim == 1 else decreased.any(axis=1)
        return np.append((np.diff(step) > 0) | reset, True) | np.insert(reset, 0, True)


def join_pieces(times: Sequence[Array], values: Sequence[Array]) -> tuple[Array, Array]:
    """Join pieces in order. A sample on the edge of two pieces is in both, and is kept once."""
    joined, first = np.unique(np.concatenate(times), return_index=True)
    return joined, np.concatenate(values)[first]


def _label_key(labels: SampleLabels) -> _LabelKey:
    return tuple(sorted(labels.items()))
