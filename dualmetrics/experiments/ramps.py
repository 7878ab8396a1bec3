"""Ramps: the split moves in steps, and each step is a stratum.

If the error ratio of a service changes while the split moves, the totals of both variants stand for different
times, and differ although the variants do not. So both are weighted alike in each stratum.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.breaks import PARTS, in_parts

Strata = npt.NDArray[np.int_]
"""The number of each block's stratum; -1 for a block that belongs to none and is left out."""
MOVED = 2.0
"""If the odds of the split differ by this factor between two tenths of the window, it moves."""
MIN_PART_REQUESTS = 200


class RampStep(NamedTuple):
    """The candidate's share of the traffic of both variants, and how long it lasts."""

    share: float
    seconds: float = inf


def step_strata(ramp: Sequence[RampStep], edges: Array, slack: float) -> Strata:
    """Return the step that each block belongs to.

    Blocks less than ``slack`` seconds from the moment when the split moves belong to none: a scrape counts
    what happened before it.
    """
    strata = np.full(len(edges) - 1, -1)
    start = float(edges[0])
    for number, step in enumerate(ramp):
        end = start + step.seconds
        first = start if number == 0 else start + slack
        last = end if number == len(ramp) - 1 else end - slack
        strata[(edges[:-1] >= first - 1e-6) & (edges[1:] <= last + 1e-6)] = number
        start = end
    return strata


def split_moves(baseline: Array, candidate: Array) -> bool:
    """Return whether the split of the requests moves during the window.

    The requests of both must be counted between the same instants: a scrape more is no more traffic.
    """
    if len(baseline) < PARTS:
        return False
    one, other = in_parts(candidate), in_parts(baseline)
    many = (one >= MIN_PART_REQUESTS) & (other >= MIN_PART_REQUESTS)
    odds = one[many] / other[many]
    return len(odds) > 1 and bool(odds.max() > MOVED * odds.min())


def stratum_weights(baseline: Array, candidate: Array, strata: Strata) -> tuple[Array, Array]:
    """Return factors for each block of baseline and candidate, at most 1.

    The units of both are then distributed alike over the strata: by ``n0 n1 / (n0 + n1)``, the weights of
    Cochran (1954) and of Mantel and Haenszel (1959). A stratum without units of one of them has weight 0.
    """
    number = int(strata.max(initial=-1)) + 1
    used = strata >= 0
    n0, n1 = (np.bincount(strata[used], each[used], number) for each in (baseline, candidate))
    both = (n0 > 0) & (n1 > 0)
    share = np.where(both, n1 / np.maximum(n0 + n1, 1e-300), 0.0)
    weights = [share, np.where(both, 1 - share, 0.0)]
    factors = [each / max(float(each.max(initial=0.0)), 1e-300) for each in weights]
    first, second = (np.where(used, np.append(each, 0.0)[strata], 0.0) for each in factors)
    return first, second
