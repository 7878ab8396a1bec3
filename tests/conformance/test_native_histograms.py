"""Native histograms in a real Prometheus: the quantiles that it reckons are those of what was recorded."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from tests import backends
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

WORKERS, EACH = 4, 25_000
NATIVE = "--enable-feature=native-histograms"


def values(worker: int) -> list[float]:
    source = random.Random(worker)
    return [source.lognormvariate(0, 1) for _ in range(EACH)]


def record(telemetry: Telemetry, recorded: list[float]) -> None:
    histogram = telemetry.meter("app").create_histogram("took", "s", explicit_bucket_boundaries_advisory=[1])
    for value in recorded:
        histogram.record(value)


def record_and_die(telemetry: Telemetry, recorded: list[float]) -> None:
    pid = os.fork()
    if pid == 0:
        record(telemetry, recorded)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def group(directory: Path, port: int) -> Iterator[Telemetry]:
    """Workers that have recorded, all of them dead but for the one that shows the page."""
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        native_histograms=True,
        prometheus_port=port,
        directory=str(directory),
        scope_labels="none",
    )
    for worker in range(1, WORKERS):
        record_and_die(telemetry, values(worker))
    record(telemetry, values(0))
    yield telemetry
    telemetry.shutdown()


def value(database: backends.Database, expression: str) -> float:
    """The value of an expression with one result; 0 while there is none."""
    return sum(database.query(expression).values())


def test_the_quantiles_are_within_the_error_of_a_bucket(tmp_path: Path) -> None:
    port = free_port()
    recorded = sorted(value for worker in range(WORKERS) for value in values(worker))
    with (
        group(tmp_path / "group", port) as telemetry,
        backends.prometheus3(tmp_path, [backends.Target(port, {})], NATIVE) as database,
    ):
        count = "histogram_count(took_seconds)"
        wait_until(lambda: value(database, count) == len(recorded), 30, "the scrape")
        assert value(database, "histogram_sum(took_seconds)") == pytest.approx(sum(recorded))
        scale = min(
            point.exponential.scale
            for family in telemetry.snapshot().families
            for point in family.points
            if family.descriptor.name == "took" and point.exponential
        )
        error = 2**2**-scale - 1
        for quantile in (0.01, 0.25, 0.5, 0.9, 0.99, 0.999):
            true = recorded[ceil(quantile * len(recorded)) - 1]
            found = value(database, f"histogram_quantile({quantile}, took_seconds)")
            assert found == pytest.approx(true, rel=error)


def test_without_asking_prometheus_gets_the_classic_buckets_of_the_same_values(tmp_path: Path) -> None:
    port = free_port()
    expected = sum(value <= 1 for worker in range(WORKERS) for value in values(worker))
    with (
        group(tmp_path / "group", port),
        backends.prometheus3(tmp_path, [backends.Target(port, {})]) as database,
    ):
        count = "took_seconds_count"
        wait_until(lambda: value(database, count) == WORKERS * EACH, 30, "the scrape")
        assert value(database, 'took_seconds_bucket{le="1.0"}') == expected
