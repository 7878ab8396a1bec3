"""A Flask app with metrics of prometheus_client and of an SDK provider, which are both imported."""

from __future__ import annotations

import os
import time

from flask import Flask
from prometheus_client import Counter, Enum, Gauge, Histogram, Summary

from dualmetrics_flask import DualMetrics

jobs = Counter("jobs", "Jobs.", ["where"])
sizes = Histogram("sizes", "Sizes.", buckets=[1, 10])
waits = Summary("waits", "Waits.")
level = Gauge("level", "Level.")
phase = Enum("phase", "Phase.", states=["idle", "busy"])
jobs.labels("import").inc(3)

app = Flask(__name__)
if "BRIDGE_SDK" in os.environ:
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider

    from dualmetrics.bridges.sdk import MetricReader

    metrics.set_meter_provider(MeterProvider([MetricReader(), PrometheusMetricReader()]))
    steps = metrics.get_meter("app").create_counter("steps")
    steps.add(2, {"where": "import"})
DualMetrics(app, registries="default", gauge_merge={"level": "last"})


@app.get("/work/<int:number>")
def work(number: int) -> str:
    """Record each kind of metric, and answer with the pid of the worker."""
    jobs.labels("request").inc()
    sizes.observe(number % 20)
    waits.observe(0.5)
    level.set(number)
    phase.state("busy")
    if "BRIDGE_SDK" in os.environ:
        steps.add(1, {"where": "request"})
    return str(os.getpid())


@app.get("/count/<int:number>")
def count(number: int) -> str:
    """Count one, and answer with the pid and the time."""
    jobs.labels("count").inc()
    return f"{os.getpid()} {time.time()}"
