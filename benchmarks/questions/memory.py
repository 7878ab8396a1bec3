"""What memory and which files a series takes, in one worker that has shown its page once."""

from __future__ import annotations

import functools
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import peers, series
from benchmarks.question import Contestant, Effort, Measure, Question, Values


def grown(make: Callable[[], Callable[[], object]], directory: str = "") -> Measure:
    """What ``make`` adds to the process, and then its page, divided by ``count`` series."""

    def measure(count: int) -> Values:
        before = _resident()
        render = make()
        recorded = _resident()
        page = render()
        shown = _resident()
        files = [path for path in Path(directory).rglob("*") if path.is_file()] if directory else []
        del page
        return {
            "recorded, bytes a series": (recorded - before) / count,
            "and the page shown": (shown - before) / count,
            "files": len(files),
            "of these, bytes a series": sum(path.stat().st_blocks * 512 for path in files) / count,
        }

    return functools.cache(measure)  # a process tells it once


def _resident() -> int:
    """Bytes of memory that is this process' alone, or its share of it."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Pss in smaps_rollup")


def ours(case: int) -> Measure:
    directory = tempfile.mkdtemp()
    series.ours(1, directory=tempfile.mkdtemp())[1](1)  # imports and threads are not a series'

    def make() -> Callable[[], object]:
        telemetry, touch = series.ours(case, directory=directory)
        touch(1)
        render: Callable[[], object] = telemetry.render
        return render

    return grown(make, directory)


def _registry(directory: str, case: int) -> Measure:
    from prometheus_client import generate_latest

    def make() -> Callable[[], object]:
        series.prometheus_client(case)(1)
        return generate_latest

    return grown(make, directory)


def prometheus_client(case: int) -> Measure:
    return _registry("", case)


def prometheus_client_multiprocess(case: int) -> Measure:
    return _registry(peers.multiprocess(), case)


def otel(case: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import generate_latest

    def make() -> Callable[[], object]:
        _, touch = series.otel(case, PrometheusMetricReader(), peers.otlp_reader(series.DAY))
        touch(1)
        return generate_latest

    return grown(make)


COUNT = 5000

QUESTION = Question(
    "memory",
    f"Memory (Pss) and files of one worker with {COUNT:,} histogram series of 14 bounds",
    "bytes, files",
    (
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",)),
        Contestant("prometheus_client, multiprocess", prometheus_client_multiprocess),
        Contestant("OTel SDK, Prometheus and OTLP", otel, peers.OTEL),
    ),
    {
        "tiny": Effort(1, 1, 50, (50,)),
        "quick": Effort(1, 1, COUNT, (COUNT,)),
        "full": Effort(5, 1, COUNT, (COUNT,)),
    },
    case="series",
    floor="ours",
    shown=("median",),
)
