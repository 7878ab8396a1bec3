"""Long windows, read a piece at a time, of which only what is needed is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dualmetrics.experiments.samples import SampledHistogram, SampledSeries, SampleLabels
from dualmetrics.experiments.statistics.arrays import Array

PIECE = 3600.0
STEPS = 400
"""Of each of so many steps of the window the last sample is kept, and all around a reset."""

Key = tuple[tuple[str, str], ...]


class Chunks:
    """Collects samples that arrive in pieces."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end = start, end
        self._thin = end - start > 2 * PIECE
        self._found: dict[Key, list[SampledHistogram]] = defaultdict(list)
        self._plain: dict[Key, list[SampledSeries]] = defaultdict(list)

    @property
    def empty(self) -> bool:
        """Whether nothing has been added."""
        return not self._found and not self._plain

    def spans(self) -> Iterator[tuple[float, float]]:
        """The (end, length in seconds) of each piece."""
        at = self._start
        while at < self._end:
            length = min(PIECE, self._end - at)
            at += length
            yield at, length

    def add(self, series: Iterable[SampledSeries]) -> None:
        """What a piece has of counters."""
        for each in series:
            keep = self._kept(each.times, each.values)
            self._plain[_key(each.labels)].append(
                SampledSeries(each.labels, each.times[keep], each.values[keep])
            )

    def add_histograms(self, histograms: Iterable[SampledHistogram]) -> None:
        """What a piece has of histograms."""
        for each in histograms:
            keep = self._kept(each.times, each.counts)
            part = SampledHistogram(each.labels, each.times[keep], each.bounds, each.counts[keep])
            self._found[(*_key(each.labels), ("le", str(each.bounds.tolist())))].append(part)

    def series(self) -> list[SampledSeries]:
        """All pieces together."""
        return [
            SampledSeries(
                parts[0].labels, *join_pieces([each.times for each in parts], [each.values for each in parts])
            )
            for parts in self._plain.values()
        ]

    def histograms(self) -> list[SampledHistogram]:
        """All pieces together."""
        found = []
        for parts in self._found.values():
            times, counts = join_pieces([each.times for each in parts], [each.counts for each in parts])
            found.append(SampledHistogram(parts[0].labels, times, parts[0].bounds, counts))
        return found

    def _kept(self, times: Array, values: Array) -> np.typing.NDArray[np.bool_]:
        if not self._thin or len(times) < 2:
            return np.ones(len(times), dtype=bool)
        step = np.floor((times - self._start) / (self._end - self._start) * STEPS)
        down = np.diff(values, axis=0) < 0
        reset = down if values.ndim == 1 else down.any(axis=1)
        return np.append((np.diff(step) > 0) | reset, True) | np.insert(reset, 0, True)


def join_pieces(times: Sequence[Array], values: Sequence[Array]) -> tuple[Array, Array]:
    """Pieces in order; a sample on the edge of two is in both."""
    found, first = np.unique(np.concatenate(times), return_index=True)
    return found, np.concatenate(values)[first]


def as_arrays(samples: Sequence[Sequence[object]]) -> tuple[Array, Array]:
    """Times and values of Prometheus' ``[[time, "value"], ...]``."""
    found = np.array(samples, dtype=np.float64)
    return found[:, 0], found[:, 1]


def _key(labels: SampleLabels) -> Key:
    return tuple(sorted(labels.items()))
