"""Reads the samples of a selector: all of them, or those at the steps of a grid and around each event."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dualmetrics.experiments.sources.collected import Collected, QueryResult
from dualmetrics.experiments.sources.prometheus_client import PrometheusClient
from dualmetrics.experiments.statistics.arrays import Array

RAW_PIECE_SECONDS = 900.0
GRID_PIECE_STEPS = 5
LOOKBACK = 300.0
"""How many seconds a sample stays current, by Prometheus' default."""


class SampleReader:
    """Reads from one server, in pieces that need little memory."""

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    def every_sample(
        self, selector: str, start: float, end: float, piece: float = RAW_PIECE_SECONDS
    ) -> Collected:
        """Read every sample between two times."""
        collected = Collected()
        for piece_end, seconds in _pieces(start, end, piece):
            collected.add(self._client.samples(selector, piece_end, seconds))
        return collected

    def at_steps(self, selector: str, counts: str, start: float, end: float, step: float) -> Collected:
        """Read the samples that are current at each step from ``start`` on, and at ``end``.

        Between two steps only the difference matters, unless a series began, ended or was reset there: then
        every sample between them is read. ``counts`` selects the series whose resets show those of all.
        """
        times = _grid(start, end, step)
        collected = Collected()
        for result in self._at(selector, times, step):
            collected.add(result)
        resets = f"max(resets({counts}[{round((step + LOOKBACK) * 1000)}ms])) > 0"
        events = _events(collected, times) | self._steps_with(resets, times, step)
        for event in sorted(events):
            after, until = float(times[event - 1]), float(times[event])
            collected.add(self._client.samples(selector, until, until - after))
        return collected

    def _steps_with(self, query: str, times: Array, step: float) -> set[int]:
        """Return the steps at which a query has a result."""
        results = [series for result in self._at(query, times, step) for series in result]
        found = [float(time) for series in results for time, _ in series["values"]]
        return {number for number in map(int, _nearest(times, np.array(found))) if number > 0}

    def _at(self, query: str, times: Array, step: float) -> Iterator[QueryResult]:
        """Query at the times of a grid, some steps at once. Each may be some milliseconds early."""
        grid, end = times[:-1], float(times[-1])
        whole = max(np.floor(step * 1000), 1.0) / 1000
        for first in range(0, len(grid), GRID_PIECE_STEPS):
            part = grid[first : first + GRID_PIECE_STEPS]
            yield self._client.query_range(query, float(part[0]), float(part[-1]), float(whole))
        yield self._client.query_range(query, end, end, 1.0)


def _pieces(start: float, end: float, length: float) -> Iterator[tuple[float, float]]:
    """Yield the end of each piece, and its length in seconds."""
    position = start
    while position < end:
        seconds = min(length, end - position)
        position += seconds
        yield position, seconds


def _grid(start: float, end: float, step: float) -> Array:
    """Return the times of the steps, and ``end``. They are whole milliseconds, as Prometheus needs them.

    They are rounded down, so that what is current at the end of a block belongs to that block.
    """
    times = np.append(start + step * np.arange(np.ceil((end - start) / step - 1e-6)), end)
    return np.asarray(np.floor(times * 1000) / 1000)


def _nearest(times: Array, own: Array) -> npt.NDArray[np.int_]:
    """Return the step that each time belongs to: the first that is not before it."""
    return np.asarray(np.searchsorted(times, own - 0.0005))


def _events(collected: Collected, times: Array) -> set[int]:
    """Return the steps before which a series began, ended or decreased."""
    found: set[int] = set()
    samples = [(each.times, each.values[:, None]) for each in collected.series()]
    samples += [(each.times, each.counts) for each in collected.histograms()]
    for own_times, values in samples:
        present = np.zeros(len(times), dtype=bool)
        at = _nearest(times, own_times)
        present[at] = True
        changed = np.flatnonzero(present[1:] != present[:-1]) + 1
        decreased = at[1:][(np.diff(values, axis=0) < 0).any(axis=1)]
        found.update(changed.tolist(), decreased.tolist())
    return found
