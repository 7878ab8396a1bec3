"""A Flask app with metrics of other libraries: all types of prometheus_client, and an SDK provider."""

from __future__ import annotations

import os
from collections.abc import Iterator

from flask import Flask
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, Counter, Enum, Gauge, Histogram, Info, Metric, Summary
from prometheus_client.core import GaugeHistogramMetricFamily

from dualmetrics.bridges.sdk import MetricReader
from dualmetrics_flask import DualMetrics

jobs = Counter("jobs", "Jobs.", ["where"])
sent = Counter("sent", "Sent.", unit="bytes")
level = Gauge("level", "Level.", ["tank"])
speed = Gauge("speed", "Speed.", unit="bytes_per_second")
latency = Histogram("latency", "Latency.", ["route"], unit="seconds", buckets=[0.5, 1, 2.5])
waits = Summary("waits", "Waits.")
build = Info("build", "Build.")
phase = Enum("phase", "Phase.", states=["idle", "busy"])
build.info({"version": "1.2", "commit": 'a"b'})
REGISTRY.set_target_info({"team": "a"})


def custom_metric(kind: str, name: str, *samples: tuple[str, dict[str, str], float]) -> Metric:
    """A metric as a custom collector returns it."""
    metric = Metric(name, "Custom.", kind)
    for suffix, labels, value in samples:
        metric.add_sample(name + suffix, labels, value)
    return metric


class Custom:
    """Metrics for which prometheus_client has no instrument. The numbers are the same in every worker."""

    def collect(self) -> Iterator[Metric]:
        """One metric of each such type."""
        yield custom_metric("unknown", "mystery", ("", {"a": "b"}, 7))
        yield custom_metric(
            "gauge", "scoped", ("", {"otel_scope_name": "lib", "otel_scope_version": "2", "a": "b"}, 1.5)
        )
        yield custom_metric(
            "histogram", "sumless", ("_bucket", {"le": "1"}, 2), ("_bucket", {"le": "+Inf"}, 3)
        )
        yield custom_metric(
            "summary",
            "size",
            *(("", {"quantile": quantile}, value) for quantile, value in (("0.5", 3), ("0.99", 8.25))),
            ("_sum", {}, 10),
            ("_count", {}, 4),
        )
        yield GaugeHistogramMetricFamily("queue", "Custom.", buckets=[("1", 2), ("+Inf", 3)], gsum_value=4)


REGISTRY.register(Custom())
meter = MeterProvider([MetricReader()]).get_meter("shop", "1.0")
orders = meter.create_counter("shop.orders", "{order}", "Orders.")
carts = meter.create_up_down_counter("shop.carts", description="Carts.")
heat = meter.create_gauge("shop.heat", "Cel", "Heat.")
took = meter.create_histogram("shop.took", "s", "Took.", explicit_bucket_boundaries_advisory=[0.5, 1])


def observe(options: CallbackOptions) -> Iterator[Observation]:
    """A total that is counted elsewhere."""
    yield Observation(5, {"disk": "a"})


meter.create_observable_counter("shop.reads", [observe])
app = Flask(__name__)
DualMetrics(app, registries="default")


@app.get("/work/<int:number>")
def work(number: int) -> str:
    """Record each kind of metric, with the same gauge values in all workers, and answer with the pid."""
    jobs.labels("request").inc()
    sent.inc(number / 8)
    level.labels("north").set(24.75)
    speed.set(99.5)
    latency.labels("/").observe(number % 4)
    waits.observe(0.5)
    phase.state("busy")
    orders.add(1, {"paid": bool(number % 2), "route.name": "/"})
    carts.add(1 if number % 3 else -1)
    heat.set(21.5)
    took.record(number / 8)
    return str(os.getpid())
