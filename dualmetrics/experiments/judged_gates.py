"""Judges each gate by the test that fits: those of HTTP, and those on other metrics."""

from __future__ import annotations

from dualmetrics.experiments.block_counts import BlockCounts
from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.factor_gates import level_gate, quantile_gate, rate_gate
from dualmetrics.experiments.gate_specs import HistogramSpec, HostSpec, RatioSpec
from dualmetrics.experiments.gates import Aim, Gate, Rules
from dualmetrics.experiments.measurements import Measurement
from dualmetrics.experiments.share_gates import share_gate
from dualmetrics.experiments.statistics.arrays import Array
from dualmetrics.experiments.statistics.error_ratio import Counts
from dualmetrics.experiments.statistics.latency import Latencies
from dualmetrics.experiments.statistics.rate_ratio import Amounts


def error_gate(name: str, baseline: BlockCounts, candidate: BlockCounts, rules: Rules) -> Gate:
    """Judge the share of errors."""
    aim = Aim(rules.margins.errors)
    return share_gate(name, baseline.error_counts, candidate.error_counts, aim, rules)


def slow_gate(threshold: float, title: str, baseline: Latencies, candidate: Latencies, rules: Rules) -> Gate:
    """Judge the share of requests slower than ``threshold``, in the unit of the metric.

    Raises `UsageError` if the threshold is not a bucket bound.
    """
    _require_bound(threshold, f"--slo {title}", baseline.bounds)
    shares = baseline.slower_than(threshold), candidate.slower_than(threshold)
    return share_gate(f"slower than {title}", *shares, Aim(rules.margins.slow), rules)


def latency_gate(q: float, baseline: Latencies, candidate: Latencies, rules: Rules) -> Gate:
    """Judge the factor by which the ``q`` quantile of the latency is higher."""
    aim = Aim(rules.margins.latency)
    return quantile_gate(f"p{q * 100:g}", q, baseline, candidate, aim, rules, "duration")


def measured_gate(measurement: Measurement, rules: Rules) -> Gate:
    """Judge a gate on another metric.

    Raises `UsageError` if a threshold is not a bucket bound.
    """
    spec, (one, other) = measurement.spec, (measurement.baseline, measurement.candidate)
    if isinstance(spec, HistogramSpec) and not spec.mean:
        bounds = measurement.bounds
        return _histogram_gate(spec, Latencies(bounds, one), Latencies(bounds, other), rules)
    if measurement.is_level:
        return level_gate(spec.title, one[:, 0], other[:, 0], spec.aim, rules)
    if isinstance(spec, RatioSpec) and not spec.factor:
        shares = Counts(one[:, 0], one[:, 1]), Counts(other[:, 0], other[:, 1])
        return share_gate(spec.title, *shares, spec.aim, rules)
    beyond = spec.aim.log_limit if isinstance(spec, HostSpec) else 0.0
    rates = Amounts(one[:, 0], one[:, 1]), Amounts(other[:, 0], other[:, 1])
    return rate_gate(spec.title, *rates, spec.aim, rules, beyond)


def _histogram_gate(spec: HistogramSpec, baseline: Latencies, candidate: Latencies, rules: Rules) -> Gate:
    if spec.quantile is not None:
        pair = baseline, candidate
        return quantile_gate(spec.title, spec.quantile, *pair, spec.aim, rules, "number")
    threshold = spec.above or 0.0
    _require_bound(threshold, spec.title, baseline.bounds)
    shares = baseline.slower_than(threshold), candidate.slower_than(threshold)
    return share_gate(spec.title, *shares, spec.aim, rules)


def _require_bound(threshold: float, what: str, bounds: Array) -> None:
    if not any(abs(bounds - threshold) <= 1e-9 * abs(threshold)):
        available = ", ".join(f"{bound:g}" for bound in bounds)
        raise UsageError(f"{what} is not a bucket bound; the bounds are {available} (in the metric's unit).")
