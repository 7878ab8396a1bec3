"""Two hundred instances push to one database at once, for two minutes: nothing is missing."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dualmetrics.exporters.otlp.exporter import OtlpExporter, otlp_target
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests import backends
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance, backends.takes_long, pytest.mark.timeout(400)]

INSTANCES = 200
SERIES = 100
ROUNDS = 12
INTERVAL = float(os.environ.get("TEST_PUSH_INTERVAL", "10"))
"""Seconds; twelve rounds of ten are two minutes."""

HITS = Descriptor(Scope("shop"), "hits", Kind.COUNTER)
BY_INSTANCE = "-opentelemetry.promoteAllResourceAttributes=true"


class Instance:
    """One of them: a resource of its own, and counters that grow by one from push to push."""

    def __init__(self, endpoint: str, number: int) -> None:
        self._resource = (("service.instance.id", f"pod-{number}"), ("service.name", "shop"))
        self._target: OtlpExporter = otlp_target(endpoint, False, "http/protobuf", None, timeout=10)
        self._start = time.time_ns()

    def push(self, value: int) -> float:
        """Push all counters; the seconds that it took."""
        points = tuple(
            Point((("route", f"/{route}"),), self._start, (float(value),)) for route in range(SERIES)
        )
        started = time.monotonic()
        outcome = self._target.export(Snapshot(time.time_ns(), self._resource, (Family(HITS, points),)))
        assert outcome == (True, 0, "")
        return time.monotonic() - started

    def close(self) -> None:
        self._target.shutdown()


def rounds(instances: list[Instance]) -> list[float]:
    """Push all instances in each round, and wait for the next one; how long the pushes took."""
    took: list[float] = []
    with ThreadPoolExecutor(20) as pool:
        for value in range(1, ROUNDS + 1):
            following = time.monotonic() + INTERVAL
            took += pool.map(lambda instance, value=value: instance.push(value), instances)
            time.sleep(max(0.0, following - time.monotonic()))
    return sorted(took)


def test_nothing_is_missing_of_two_hundred_instances(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path, (), BY_INSTANCE) as database:
        instances = [Instance(database.otlp, number) for number in range(INSTANCES)]
        took = rounds(instances)
        for instance in instances:
            instance.close()
        database.flush()
        wait_until(lambda: len(database.query("hits_total")) == INSTANCES * SERIES, 30, "all series")
        assert set(database.query("hits_total").values()) == {ROUNDS}
        kept = database.query(f"count_over_time(hits_total[{ROUNDS * INTERVAL + 60:.0f}s])")
        assert set(kept.values()) == {ROUNDS}
    middle, slow = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"{len(took)} pushes, {len(took) * SERIES} points: median {middle:.4f} s, 99th {slow:.4f} s")  # noqa: T201  # the figures of docs/scaling.md
