"""What changes the error rate and the latency of a service over time, besides chance."""

from __future__ import annotations

from collections.abc import Callable
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
    """How many incidents each variant has alone. Each lasts ten steps and adds 19 times the usual rate."""
    baseline_bursts: float = 0.0
    """The same for the baseline only."""
    candidate_bursts: float = 0.0
    """The same for the candidate only."""
    drift: float = 0.0
    """The relative change of both rates from the start to the middle, and from the middle to the end."""
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
    "own noise, AR .99": Noise(own=0.8, own_memory=0.99),
    "own noise, AR .997": Noise(own=0.8, own_memory=0.997),
    "own bursts": Noise(bursts=6.0),
    "drift": Noise(drift=0.9),
    "daily traffic, shared and own noise": Noise(own=0.5, own_memory=0.6, shared=0.8, daily=0.7),
    "5 % canary, own noise": Noise(own=0.5, own_memory=0.6, share=0.05),
}


ONE_SIDED = {
    f"{bursts} bursts of the {variant}": Noise(**{f"{variant}_bursts": float(bursts)})
    for variant in ("baseline", "candidate")
    for bursts in (4, 8, 12)
}
"""Incidents of one variant. The other has the same mean, at an even rate."""

Change = Callable[[Array], Array]
"""What happens to the candidate's error rate at each step of the window."""


def set_to(rate: float, start: float, end: float = 1.0) -> Change:
    """Return a change to a constant rate between two parts of the window."""

    def change(rates: Array) -> Array:
        changed = rates.copy()
        changed[round(start * STEPS) : round(end * STEPS)] = rate
        return changed

    return change


def leak(rate: float) -> Change:
    """Return a rate that grows evenly from 0 to ``rate`` and adds to the usual one."""
    return lambda rates: rates + np.linspace(0, rate, STEPS)


BREAKS = {
    "100 % errors from the middle": set_to(1.0, 0.5),
    "100 % errors from three quarters": set_to(1.0, 0.75),
    "100 % errors for a quarter": set_to(1.0, 0.4, 0.65),
    "100 % errors for a sixteenth": set_to(1.0, 0.45, 0.5125),
    "50 % errors from the middle": set_to(0.5, 0.5),
    "10 % errors from the middle": set_to(0.1, 0.5),
    "leak from 0 to 20 %": leak(0.2),
    "leak from 0 to 5 %": leak(0.05),
}


def factors(noise: Noise, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the factors of the rates of baseline and candidate at each step. Their mean is 1."""
    shared = _autoregressive(noise.shared, noise.shared_memory, rng)
    both = [shared + _autoregressive(noise.own, noise.own_memory, rng) for _ in range(2)]
    mean = np.exp((noise.own**2 + noise.shared**2) / 2)
    drift = 1 + noise.drift * np.linspace(-1, 1, STEPS)
    baseline, candidate = (drift * np.exp(each) / mean for each in both)
    return (
        baseline * _incidents(noise.bursts + noise.baseline_bursts, rng),
        candidate * _incidents(noise.bursts + noise.candidate_bursts, rng),
    )


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


def _incidents(number: float, rng: np.random.Generator) -> Array:
    """Return factors with a Poisson number of incidents. Where two overlap, both add."""
    factor = np.ones(STEPS)
    for start in rng.integers(0, STEPS - 10, rng.poisson(number)):
        factor[start : start + 10] += 19
    return factor / (1 + 19 * number * 10 / STEPS)
