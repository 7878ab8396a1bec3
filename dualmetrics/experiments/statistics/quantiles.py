"""Quantiles of histograms, estimated from the buckets in two ways."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array


class QuantileBucket(NamedTuple):
    """The bucket that holds a quantile, for each of several histograms."""

    low: Array
    high: Array
    above_low: Array
    """The share of values above ``low``."""
    above_high: Array
    """The share of values above ``high``."""
    above: float
    """The share of values above the quantile: 1 - q."""


def locate_bucket(q: float, bounds: Array, counts: Array) -> QuantileBucket:
    """Find the bucket ``(low, high]`` that holds the ``q`` quantile.

    The last axis of ``counts`` is the bucket. It is one longer than ``bounds``; the last bucket is ``+Inf``.
    """
    cumulative = counts.cumsum(axis=-1)
    total = cumulative[..., -1:]
    index = np.minimum((cumulative < q * total).sum(axis=-1), len(bounds))
    edges = np.concatenate(([0.0], bounds, [np.inf]))
    below = np.concatenate((np.zeros_like(total), cumulative), axis=-1)
    survival = 1.0 - below / np.maximum(total, 1.0)
    column = index[..., None]
    above_low = np.take_along_axis(survival, column, axis=-1)[..., 0]
    above_high = np.take_along_axis(survival, column + 1, axis=-1)[..., 0]
    return QuantileBucket(edges[index], edges[index + 1], above_low, above_high, 1.0 - q)


def linear_quantile(bucket: QuantileBucket) -> Array:
    """Assume that values are spread evenly in their bucket, as PromQL's ``histogram_quantile`` does.

    Infinity if the quantile lies above the highest bound.
    """
    step = bucket.above_low - bucket.above_high
    part = np.divide(bucket.above_low - bucket.above, step, out=np.zeros_like(step), where=step > 0)
    identified = np.isfinite(bucket.high)
    width = np.where(identified, bucket.high, bucket.low) - bucket.low
    return np.where(identified, bucket.low + width * np.clip(part, 0.0, 1.0), np.inf)


def tail_quantile(bucket: QuantileBucket) -> Array:
    """Assume that the log of survival is linear in the log of the value: a piece of a Pareto distribution.

    Latencies become rarer towards the upper end of a bucket, so this is closer to the truth. The result is
    that of `linear_quantile` in the first bucket and where no value lies above the bucket.
    """
    usable = (bucket.low > 0) & (bucket.above_high > 0) & np.isfinite(bucket.high)
    usable &= bucket.above_low > bucket.above_high
    low, high = np.where(usable, bucket.low, 1.0), np.where(usable, bucket.high, 2.0)
    above_low = np.where(usable, bucket.above_low, 1.0)
    above_high = np.where(usable, bucket.above_high, 0.5)
    part = np.log(above_low / bucket.above) / np.log(above_low / above_high)
    return np.where(usable, low * (high / low) ** np.clip(part, 0.0, 1.0), linear_quantile(bucket))
