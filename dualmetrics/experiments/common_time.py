"""The requests of both variants between the same instants.

The variants are scraped at different times. In a short window one of them may have a scrape more, which is
not a difference of the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array

Moments = Sequence[tuple[Array, Array]]
"""The times of the scrapes of each series, and what each adds."""


def requests_at_common_times(baseline: Moments, candidate: Moments, edges: Array) -> tuple[Array, Array]:
    """Return the requests of each variant in as many blocks as ``edges`` has, over the time that both cover.

    Between two scrapes of a variant, requests are taken to be spread evenly.
    """
    totals = _running_total(baseline), _running_total(candidate)
    if not all(len(times) for times, _ in totals):
        return np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    start = max(edges[0], *(times[0] for times, _ in totals))
    end = min(edges[-1], *(times[-1] for times, _ in totals))
    cuts = np.linspace(start, max(start, end), len(edges))
    first, second = (np.diff(np.interp(cuts, times, total)) for times, total in totals)
    return first, second


def _running_total(moments: Moments) -> tuple[Array, Array]:
    """Return the times of all scrapes and the sum of what all series had added by then."""
    if not moments:
        return np.array([]), np.array([])
    times = np.unique(np.concatenate([own for own, _ in moments]))
    added = np.zeros(len(times))
    for own, values in moments:
        added[np.searchsorted(times, own)] += values
    return times, np.cumsum(added)
