"""Memory and files per series, in one worker that has rendered its page once."""

from __future__ import annotations

import functools
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import peers, series
from benchmarks.question import Contestant, Effort, Measure, Question, Values

SERIES = 5000

Render = Callable[[], object]


def growth(record: Callable[[], Render], directory: str = "") -> Measure:
    """What recording adds to the process, then rendering, divided by the number of series.

    ``record`` records all series, and returns the function that renders the page.
    """

    def measure(count: int) -> Values:
        before = _memory_bytes()
        render = record()
        recorded = _memory_bytes()
        page = render()
        rendered = _memory_bytes()
        del page
        files = [path for path in Path(directory).rglob("*") if path.is_file()] if directory else []
        return {
            "recorded, bytes per series": (recorded - before) / count,
            "recorded and rendered": (rendered - before) / count,
            "files": len(files),
            "file bytes per series": sum(path.stat().st_blocks * 512 for path in files) / count,
        }

    return functools.cache(measure)  # a process can be measured only once


def _memory_bytes() -> int:
    """The proportional set size (Pss): private memory, and this process's share of shared memory."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("smaps_rollup has no Pss")


def ours(count: int) -> Measure:
    directory = tempfile.mkdtemp()
    series.ours(1, directory=tempfile.mkdtemp())[1](1)  # imports and threads are not part of a series

    def record() -> Render:
        telemetry, touch = series.ours(count, directory=directory)
        touch(1)
        render: Render = telemetry.render
        return render

    return growth(record, directory)


def _registry(directory: str, count: int) -> Measure:
    from prometheus_client import generate_latest

    def record() -> Render:
        series.prometheus_client(count)(1)
        return generate_latest

    return growth(record, directory)


def prometheus_client(count: int) -> Measure:
    return _registry("", count)


def prometheus_client_multiprocess(count: int) -> Measure:
    return _registry(peers.turn_multiprocess_on(), count)


def otel(count: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import generate_latest

    def record() -> Render:
        _, touch = series.otel(count, PrometheusMetricReader(), peers.otlp_reader(series.DAY))
        touch(1)
        return generate_latest

    return growth(record)


QUESTION = Question(
    "memory",
    "Memory (Pss) and files of one worker with histogram series of 14 bounds",
    "bytes, files",
    (
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",)),
        Contestant("prometheus_client, multiprocess", prometheus_client_multiprocess),
        Contestant("OTel SDK, Prometheus and OTLP", otel, peers.OTEL),
    ),
    {
        "tiny": Effort(1, 1, 50, (50,)),
        "quick": Effort(1, 1, SERIES, (SERIES,)),
        "full": Effort(5, 1, SERIES, (SERIES,)),
    },
    case="series",
    floor="ours",
    statistics=("median",),
)
