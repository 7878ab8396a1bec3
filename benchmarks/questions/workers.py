"""CPU time of a page over many workers, each with 1,000 series, in the worker that answers.

Warm: the worker has rendered a page before, and every series has changed since. Cold: the worker is new.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import forked_workers, peers, series
from benchmarks.page_floors import WorkersFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch
from benchmarks.timing import cpu_milliseconds

SERIES = 1000

Render = Callable[[], object]


def warm_and_cold(touch: Touch, render: Render, render_first: Render) -> Measure:
    """Milliseconds per page; ``render_first`` is what a new worker renders."""
    render()

    def cold_page() -> float:
        return forked_workers.result_of(lambda: cpu_milliseconds(render_first, 1))

    def measure(repetitions: int) -> Values:
        warm = cpu_milliseconds(render, repetitions, lambda: touch(1))
        return {"warm": warm, "cold": sum(cold_page() for _ in range(repetitions)) / repetitions}

    return measure


def floor(workers: int, count: int = SERIES) -> Measure:
    directory = Path(tempfile.mkdtemp())
    for number in range(workers):
        _write_floor_files(directory, number, count)
    warm = WorkersFloor(series.NAME, directory)
    return warm_and_cold(
        lambda share: None, warm.render, lambda: WorkersFloor(series.NAME, directory).render()
    )


def _write_floor_files(directory: Path, number: int, count: int) -> None:
    cells, _, touch = series.floor_cells(count)
    touch(1)
    labels = "\n".join(map(json.dumps, series.label_sets(count)))
    (directory / f"{number}.labels").write_text(labels)
    (directory / f"{number}.cells").write_bytes(cells)


def ours(workers: int, count: int = SERIES) -> Measure:
    telemetry, touch = series.ours(count, directory=tempfile.mkdtemp())
    forked_workers.keep_running(lambda: touch(1), workers - 1)
    touch(1)
    return warm_and_cold(touch, telemetry.render, telemetry.render)


def prometheus_client(workers: int, count: int = SERIES) -> Measure:
    render = peers.multiprocess_page()
    touch = series.prometheus_client(count)
    forked_workers.keep_running(lambda: touch(1), workers - 1)
    touch(1)
    return warm_and_cold(touch, render, render)


QUESTION = Question(
    "workers",
    "A page over many workers with 1,000 series each, in the worker that answers",
    "ms",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant(
            "prometheus_client, multiprocess", prometheus_client, ("prometheus-client",), largest_case=8
        ),
    ),
    {
        "tiny": Effort(1, 1, 1, (2,)),
        "quick": Effort(1, 5, 1, (1, 4, 8, 16)),
        "full": Effort(3, 7, 1, (1, 4, 8, 16)),
    },
    case="workers",
)
