"""Two hundred instances push to one database for two minutes, and no point is missing there."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dualmetrics.exporters.otlp.exporter import OtlpExporter, otlp_target
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests import backends
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance, backends.takes_long, pytest.mark.timeout(400)]

INSTANCES = 200
SERIES = 100
ROUNDS = 12
INTERVAL = float(os.environ.get("TEST_PUSH_INTERVAL", "10"))
"""Seconds between two pushes; twelve rounds of ten seconds are two minutes."""

HITS = Descriptor(InstrumentationScope("shop"), "hits", Kind.COUNTER)
BY_INSTANCE = "-opentelemetry.promoteAllResourceAttributes=true"


class Instance:
    """One instance, with its own resource, and counters that grow by one with each push."""

    def __init__(self, endpoint: str, number: int) -> None:
        self._resource = (("service.instance.id", f"pod-{number}"), ("service.name", "shop"))
        self._target: OtlpExporter = otlp_target(endpoint, False, "http/protobuf", None, timeout=10)
        self._start = time.time_ns()

    def push(self, value: int) -> float:
        """Push all counters. Returns the seconds that it took."""
        points = tuple(
            Point((("route", f"/{route}"),), self._start, (float(value),)) for route in range(SERIES)
        )
        started = time.monotonic()
        result = self._target.export(Snapshot(time.time_ns(), self._resource, (Family(HITS, points),)))
        assert result == (True, 0, "")
        return time.monotonic() - started

    def close(self) -> None:
        self._target.shutdown()


def push_in_rounds(instances: list[Instance]) -> list[float]:
    """Let all instances push once in each round. Returns the seconds of each push, sorted."""
    seconds: list[float] = []
    with ThreadPoolExecutor(20) as pool:
        for value in range(1, ROUNDS + 1):
            next_round = time.monotonic() + INTERVAL
            seconds += pool.map(lambda instance, value=value: instance.push(value), instances)
            time.sleep(max(0.0, next_round - time.monotonic()))
    return sorted(seconds)


def test_no_point_of_two_hundred_instances_is_missing(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path, (), BY_INSTANCE) as database:
        instances = [Instance(database.otlp, number) for number in range(INSTANCES)]
        seconds = push_in_rounds(instances)
        for instance in instances:
            instance.close()
        database.flush()
        wait_until(lambda: len(database.query("hits_total")) == INSTANCES * SERIES, 30, "all series")
        assert set(database.query("hits_total").values()) == {ROUNDS}
        points = database.query(f"count_over_time(hits_total[{ROUNDS * INTERVAL + 60:.0f}s])")
        assert set(points.values()) == {ROUNDS}
    pushes = len(seconds)
    median, high = seconds[pushes // 2], seconds[pushes * 99 // 100]
    summary = f"{pushes} pushes, {pushes * SERIES} points: median {median:.4f} s, 99 % within {high:.4f} s"
    print(summary)  # noqa: T201  # the figures of docs/scaling.md
