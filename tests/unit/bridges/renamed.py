"""The names of a registry that OTLP receivers change: the table of docs/bridges.md."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import Metric

from tests.unit.bridges.bridged import make_metric


class Renamed(NamedTuple):
    """A metric with one series, and its name on our page, in Prometheus, and in VictoriaMetrics."""

    metric: Metric
    page: str
    prometheus: str
    victoria_metrics: str


TABLE = [
    Renamed(make_metric("gauge", "a__b", ("", {}, 1)), "a__b", "a_b", "a_b"),
    Renamed(make_metric("gauge", "_q_", ("", {}, 1)), "_q_", "q", "q"),
    Renamed(make_metric("gauge", "a:b", ("", {}, 1)), "a:b", "a:b", "a_b"),
    Renamed(
        make_metric("counter", "c_total_d", ("_total", {}, 1)),
        "c_total_d_total",
        "c_d_total",
        "c_d_total_total",
    ),
    Renamed(make_metric("counter", "total", ("_total", {}, 1)), "total_total", "total", "total_total"),
    Renamed(
        make_metric("gauge", "v_bytes_per_second", ("", {}, 1), unit="bytes_per_second"),
        "v_bytes_per_second",
        "v_bytes_per_second_per_second",
        "v_bytes_per_second",
    ),
]
