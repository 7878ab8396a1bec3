"""Quantiles of histograms, read off the buckets in two ways."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array


class QuantileBucket(NamedTuple):
    """The bucket that holds a quantile, one for each histogram: its ends, and the survival at them."""

    low: Array
    high: Array
    above_low: Array
    above_high: Array
    above: float
    """The survival that is looked for: 1 - q."""


def locate_bucket(q: float, bounds: Array, counts: Array) -> QuantileBucket:
    """Find the bucket ``(low, high]`` of the ``q`` quantile.

    The last axis of ``counts`` is the bucket, one more than ``bounds``: the last is ``+Inf``'s.
    """
    cumulative = counts.cumsum(axis=-1)
    total = cumulative[..., -1:]
    index = np.minimum((cumulative < q * total).sum(axis=-1), len(bounds))
    edges = np.concatenate(([0.0], bounds, [np.inf]))
    below = np.concatenate((np.zeros_like(total), cumulative), axis=-1)
    survival = 1.0 - below / np.maximum(total, 1.0)
    at = index[..., None]
    above_low = np.take_along_axis(survival, at, axis=-1)[..., 0]
    above_high = np.take_along_axis(survival, at + 1, axis=-1)[..., 0]
    return QuantileBucket(edges[index], edges[index + 1], above_low, above_high, 1.0 - q)


def linear_quantile(found: QuantileBucket) -> Array:
    """As if values lay evenly in their bucket, which is what PromQL's ``histogram_quantile`` supposes."""
    step = found.above_low - found.above_high
    part = np.divide(found.above_low - found.above, step, out=np.zeros_like(step), where=step > 0)
    identified = np.isfinite(found.high)
    width = np.where(identified, found.high, found.low) - found.low
    return np.where(identified, found.low + width * np.clip(part, 0.0, 1.0), np.inf)


def tail_quantile(found: QuantileBucket) -> Array:
    """As if the logarithm of survival fell linearly in the logarithm of the value (a Pareto piece).

    Latencies thin out towards a bucket's upper end, so this is nearer; `linear` in the first bucket and where
    nothing lies above.
    """
    usable = (found.low > 0) & (found.above_high > 0) & np.isfinite(found.high)
    usable &= found.above_low > found.above_high
    low, high = np.where(usable, found.low, 1.0), np.where(usable, found.high, 2.0)
    above_low = np.where(usable, found.above_low, 1.0)
    above_high = np.where(usable, found.above_high, 0.5)
    part = np.log(above_low / found.above) / np.log(above_low / above_high)
    return np.where(usable, low * (high / low) ** np.clip(part, 0.0, 1.0), linear_quantile(found))
