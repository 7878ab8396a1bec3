"""What changes the error rate and the latency of a service over time, besides chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from dualmetrics.experiments.statistics.arrays import Array

STEPS = 480
"""Steps of one minute. Each of 40 blocks has 12."""


class Noise(NamedTuple):
    """Changes of the logarithm of a rate. ``memory`` is the correlation of neighboring steps."""

    own: float = 0.0
    """The standard deviation of the changes of one variant alone."""
    own_memory: float = 0.0
    shared: float = 0.0
    """The standard deviation of the changes that both variants share."""
    shared_memory: float = 0.9
    bursts: float = 0.0
    """How many incidents a variant has alone. Each lasts ten minutes and multiplies the rate by 20."""
    daily: float = 0.0
    """The relative amplitude of the daily change of the traffic."""
    share: float = 0.5
    """The candidate's share of the traffic."""


SCENARIOS = {
    "independent": Noise(),
    "shared incidents": Noise(shared=1.0),
    "own noise": Noise(own=0.8),
    "own noise, AR .8": Noise(own=0.8, own_memory=0.8),
    "own noise, AR .95": Noise(own=0.8, own_memory=0.95),
    "own bursts": Noise(bursts=6.0),
    "daily traffic, shared and own noise": Noise(own=0.5, own_memory=0.6, shared=0.8, daily=0.7),
    "5 % canary, own noise": Noise(own=0.5, own_memory=0.6, share=0.05),
}


def factors(noise: Noise, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the factors of the rates of baseline and candidate at each step. Their mean is 1."""
    shared = _autoregressive(noise.shared, noise.shared_memory, rng)
    both = [shared + _autoregressive(noise.own, noise.own_memory, rng) for _ in range(2)]
    mean = np.exp((noise.own**2 + noise.shared**2) / 2)
    return _incidents(np.exp(both[0]) / mean, noise, rng), _incidents(np.exp(both[1]) / mean, noise, rng)


def traffic(noise: Noise, requests: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the requests of baseline and candidate at each step; the mean of their sum is ``requests``."""
    day = 1 + noise.daily * np.sin(np.linspace(0, 2 * np.pi, STEPS) + rng.uniform(0, 2 * np.pi))
    shares = (1 - noise.share, noise.share)
    baseline, candidate = (rng.poisson(requests * share * day).astype(float) for share in shares)
    return baseline, candidate


def _autoregressive(deviation: float, memory: float, rng: np.random.Generator) -> Array:
    """Simulate a first-order autoregressive process that starts in its stationary distribution."""
    if deviation == 0:
        return np.zeros(STEPS)
    shocks = rng.normal(size=STEPS) * deviation * np.sqrt(1 - memory**2)
    shocks[0] = rng.normal() * deviation
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks), dtype=np.float64)


def _incidents(rate: Array, noise: Noise, rng: np.random.Generator) -> Array:
    if noise.bursts:
        for start in rng.integers(0, STEPS - 10, rng.poisson(noise.bursts)):
            rate[start : start + 10] *= 20
        rate = rate / (1 + 19 * noise.bursts * 10 / STEPS)
    return rate
