"""How much higher a level is, such as the use of memory, which changes too slowly for a test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.breaks import PARTS, beyond_worst
from dualmetrics.experiments.statistics.critical import ONE_LOOK, CriticalValues


@dataclass(frozen=True)
class LevelEffect:
    """The factor of the mean level, and its least and largest value in the tenths of the window.

    Two processes of the same version differ by some percent all the time, which no variance over time shows.
    So the level is judged only against the margin, and in every tenth.
    """

    levels: tuple[float, float]
    """The mean levels of baseline and candidate."""
    least: float
    most: float
    breaks: float | None
    critical: CriticalValues

    @property
    def factor(self) -> float:
        """The factor of the mean level."""
        return self.levels[1] / self.levels[0]

    def beyond(self, margin: float) -> bool:
        """Return whether the candidate is higher by more than ``margin`` in each tenth, or after a break."""
        if self.breaks is not None and self.factor > 1 + margin:
            return True
        return self.critical.decides and self.least > 1 + margin

    def within(self, margin: float) -> bool:
        """Return whether the candidate is higher by at most ``margin`` in each tenth."""
        return self.critical.decides and self.most <= 1 + margin


def level_effect(
    candidate: Array, baseline: Array, critical: CriticalValues = ONE_LOOK
) -> LevelEffect | None:
    """Compare the levels in each block; NaN: unknown. None if one is unknown in a tenth of the window."""
    if len(candidate) < PARTS:
        return None
    one, other = _mean_of_parts(candidate), _mean_of_parts(baseline)
    if not (np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)).all():
        return None
    factors = one / other
    average = float(one.mean())
    return LevelEffect(
        levels=(float(other.mean()), average),
        least=float(factors.min()),
        most=float(factors.max()),
        breaks=beyond_worst(average, float(other.max()), other),
        critical=critical,
    )


def _mean_of_parts(blocks: Array) -> Array:
    known = np.isfinite(blocks)
    starts = np.arange(PARTS) * len(blocks) // PARTS
    sums, counts = (np.add.reduceat(each, starts) for each in (np.where(known, blocks, 0.0), known * 1.0))
    return np.asarray(sums / np.where(counts > 0, counts, np.nan), dtype=np.float64)
