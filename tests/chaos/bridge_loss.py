"""Measures how many counts of a bridged library are lost when a worker is killed; prints a table.

Workers count all the time, and report each count through a pipe right after it. Each worker is killed at a
random time. The counts that it reported and that the group's totals do not show are lost.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, Counter

from dualmetrics import Telemetry
from dualmetrics.bridges.sdk import MetricReader

WORKERS = 4  # that run at the same time
PAUSE = 0.001  # seconds between two counts
REPORT = struct.Struct("d")
"""One report in the pipe: the time of a count."""

Count = Callable[[], object]


class Kill(NamedTuple):
    """What a killed worker had reported, how much of it was lost, and the age of the oldest lost count."""

    reported: int
    lost: int
    age: float


def own(directory: str, worker: str) -> Count:
    """Count with an instrument of ours."""
    counter = _telemetry(directory).meter("kills").create_counter("jobs")
    return lambda: counter.add(1, {"n": worker})


def registry(directory: str, worker: str) -> Count:
    """Count with prometheus_client."""
    collectors = CollectorRegistry()
    _telemetry(directory, registries=[collectors]).start()
    return Counter("jobs", "Jobs.", ["n"], registry=collectors).labels(worker).inc


def sdk(directory: str, worker: str) -> Count:
    """Count with a provider of OpenTelemetry's SDK."""
    telemetry = _telemetry(directory)
    counter = MeterProvider([MetricReader(telemetry)]).get_meter("kills").create_counter("jobs")
    telemetry.start()
    return lambda: counter.add(1, {"n": worker})


LIBRARIES: Mapping[str, Callable[[str, str], Count]] = {"own": own, "registry": registry, "sdk": sdk}
_telemetries: list[Telemetry] = []
"""Keeps them alive."""


def _telemetry(directory: str, **settings: object) -> Telemetry:
    telemetry = Telemetry(directory=directory, metrics_exporter="prometheus", label="kills", **settings)
    _telemetries.append(telemetry)
    return telemetry


def kill_workers(library: str, times: int) -> list[Kill]:
    """Kill so many workers that count with a library."""
    with tempfile.TemporaryDirectory() as directory:
        kills: list[Kill] = []
        while len(kills) < times:
            names = [str(len(kills) + number) for number in range(WORKERS)]
            workers = [_start(library, directory, name) for name in names]
            reports = [_kill(pid, pipe) for pid, pipe in workers]
            shown = _shown_counts(directory)
            kills += [
                _kill_of(times, death, shown.get(name, 0))
                for name, (times, death) in zip(names, reports, strict=True)
            ]
        return kills


def _start(library: str, directory: str, worker: str) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        count = LIBRARIES[library](directory, worker)
        while True:
            now = time.time()
            count()
            os.write(write, REPORT.pack(now))
            time.sleep(PAUSE)
    finally:
        os._exit(1)


def _kill(pid: int, pipe: int) -> tuple[list[float], float]:
    """Kill a worker at a random time. Returns the times of the counts that it reported, and of its death."""
    reports = os.read(pipe, REPORT.size)  # waits until the worker counts
    end = time.monotonic() + random.uniform(0.2, 1.8)
    while time.monotonic() < end:
        reports += os.read(pipe, 1 << 16)
    os.kill(pid, signal.SIGKILL)
    death = time.time()
    os.waitpid(pid, 0)
    while more := os.read(pipe, 1 << 16):
        reports += more
    os.close(pipe)
    return [time for (time,) in REPORT.iter_unpack(reports)], death


def _shown_counts(directory: str) -> dict[str, int]:
    """The group's counts by worker."""
    reader = _telemetry(directory)
    families = reader.snapshot().families
    reader.shutdown()
    _telemetries.remove(reader)
    return {
        str(dict(point.attributes)["n"]): int(point.cells[0])
        for family in families
        if family.descriptor.name in ("jobs", "jobs_total")
        for point in family.points
    }


def _kill_of(times: list[float], death: float, shown: int) -> Kill:
    lost = times[shown:]
    return Kill(len(times), len(lost), death - lost[0] if lost else 0.0)


def main(times: int = 200) -> None:
    """Print a row for each library: kills, counts, lost counts, median and maximum of their ages."""
    for library in LIBRARIES:
        kills = kill_workers(library, times)
        ages = sorted(kill.age for kill in kills)
        reported, lost = sum(kill.reported for kill in kills), sum(kill.lost for kill in kills)
        median, highest = ages[len(ages) // 2], ages[-1]
        sys.stdout.write(
            f"| {library} | {len(kills)} | {reported:,} | {lost:,} | {median:.2f} | {highest:.2f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
