"""Native histograms in a real Prometheus: its quantiles are those of the recorded values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from tests import backends
from tests.forking import run_in_child
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

WORKERS, VALUES_PER_WORKER = 4, 25_000
NATIVE = "--enable-feature=native-histograms"


def values(worker: int) -> list[float]:
    """The values that a worker records, the same in each run."""
    randomness = random.Random(worker)
    return [randomness.lognormvariate(0, 1) for _ in range(VALUES_PER_WORKER)]


def record(telemetry: Telemetry, worker: int) -> None:
    histogram = telemetry.meter("app").create_histogram("took", "s", explicit_bucket_boundaries_advisory=[1])
    for value in values(worker):
        histogram.record(value)


@contextmanager
def group(directory: Path, port: int) -> Iterator[Telemetry]:
    """A worker that shows the page of a group. It has recorded, as have other workers, which are dead."""
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        native_histograms=True,
        prometheus_port=port,
        directory=str(directory),
        scope_labels="none",
    )
    for worker in range(1, WORKERS):
        run_in_child(partial(record, telemetry, worker))
    record(telemetry, 0)
    yield telemetry
    telemetry.shutdown()


def value(database: backends.Database, expression: str) -> float:
    """Return the value of an expression with one result, or 0 if there is none."""
    return sum(database.query(expression).values())


def test_quantiles_of_native_histograms_are_within_the_error_of_a_bucket(tmp_path: Path) -> None:
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
            exact = recorded[ceil(quantile * len(recorded)) - 1]
            shown = value(database, f"histogram_quantile({quantile}, took_seconds)")
            assert shown == pytest.approx(exact, rel=error)


def test_a_prometheus_without_native_histograms_gets_the_explicit_buckets(tmp_path: Path) -> None:
    port = free_port()
    expected = sum(value <= 1 for worker in range(WORKERS) for value in values(worker))
    with (
        group(tmp_path / "group", port),
        backends.prometheus3(tmp_path, [backends.Target(port, {})]) as database,
    ):
        count = "took_seconds_count"
        wait_until(lambda: value(database, count) == WORKERS * VALUES_PER_WORKER, 30, "the scrape")
        assert value(database, 'took_seconds_bucket{le="1.0"}') == expected
