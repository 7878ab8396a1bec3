"""What a killed worker takes along of foreign totals: run as a program, it prints a table.

Workers count without a pause, and tell of each count after it. Each is killed in an instant of its own. What
it had told and the group's page does not show is lost, and as old as the oldest of that.
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

WORKERS = 4  # at once
PAUSE = 0.001  # seconds between two counts
TOLD = struct.Struct("d")

Count = Callable[[], object]


class Kill(NamedTuple):
    """What one killed worker had told, what of that was lost, and how old the oldest lost count was."""

    told: int
    lost: int
    age: float


def own(directory: str, worker: str) -> Count:
    """An instrument of ours."""
    counter = _telemetry(directory).meter("kills").create_counter("jobs")
    return lambda: counter.add(1, {"n": worker})


def registry(directory: str, worker: str) -> Count:
    """A counter of prometheus_client."""
    made = CollectorRegistry()
    _telemetry(directory, registries=[made]).start()
    return Counter("jobs", "Jobs.", ["n"], registry=made).labels(worker).inc


def sdk(directory: str, worker: str) -> Count:
    """A counter of an OpenTelemetry SDK provider."""
    telemetry = _telemetry(directory)
    counter = MeterProvider([MetricReader(telemetry)]).get_meter("kills").create_counter("jobs")
    telemetry.start()
    return lambda: counter.add(1, {"n": worker})


PATHS: Mapping[str, Callable[[str, str], Count]] = {"own": own, "registry": registry, "sdk": sdk}
_kept: list[Telemetry] = []


def _telemetry(directory: str, **settings: object) -> Telemetry:
    made = Telemetry(directory=directory, metrics_exporter="prometheus", label="kills", **settings)
    _kept.append(made)
    return made


def kills(path: str, times: int) -> list[Kill]:
    """Kill so many workers that count in one way."""
    with tempfile.TemporaryDirectory() as directory:
        found: list[Kill] = []
        while len(found) < times:
            workers = [_start(path, directory, str(len(found) + number)) for number in range(WORKERS)]
            told = [_kill(pid, pipe) for pid, pipe in workers]
            shown = _shown(directory)
            found += [_lost(each, shown.get(str(len(found) + at), 0)) for at, each in enumerate(told)]
        return found


def _start(path: str, directory: str, worker: str) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        count = PATHS[path](directory, worker)
        while True:
            now = time.time()
            count()
            os.write(write, TOLD.pack(now))
            time.sleep(PAUSE)
    finally:
        os._exit(1)


def _kill(pid: int, pipe: int) -> tuple[list[float], float]:
    """The times of what the worker had told, and that of its death."""
    told = os.read(pipe, TOLD.size)  # it counts
    end = time.monotonic() + random.uniform(0.2, 1.8)
    while time.monotonic() < end:
        told += os.read(pipe, 1 << 16)
    os.kill(pid, signal.SIGKILL)
    death = time.time()
    os.waitpid(pid, 0)
    while more := os.read(pipe, 1 << 16):
        told += more
    os.close(pipe)
    return [time for (time,) in TOLD.iter_unpack(told)], death


def _shown(directory: str) -> dict[str, int]:
    reader = _telemetry(directory)
    families = reader.snapshot().families
    reader.shutdown()
    _kept.remove(reader)
    return {
        str(dict(point.attributes)["n"]): int(point.cells[0])
        for family in families
        if family.descriptor.name in ("jobs", "jobs_total")
        for point in family.points
    }


def _lost(told: tuple[list[float], float], shown: int) -> Kill:
    times, death = told
    lost = times[shown:]
    return Kill(len(times), len(lost), death - lost[0] if lost else 0.0)


def main(times: int = 200) -> None:
    """Print what was lost on each path."""
    for path in PATHS:
        found = kills(path, times)
        ages = sorted(kill.age for kill in found)
        told, lost = sum(kill.told for kill in found), sum(kill.lost for kill in found)
        sys.stdout.write(
            f"| {path} | {len(found)} | {told:,} | {lost:,} | {ages[len(ages) // 2]:.2f} | {ages[-1]:.2f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
