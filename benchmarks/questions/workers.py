"""What a page over many workers costs the one that answers, each with 1,000 label sets of its own recording.

Warm: the answering worker has shown a page before, and every series has changed since. Cold: it is new.
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
from benchmarks.timing import mean_milliseconds

SETS = 1000


def pages(touch: Touch, render: Callable[[], object], new: Callable[[], object]) -> Measure:
    """Milliseconds a page; ``new`` is what a worker renders that was born just now."""
    render()

    def measure(amount: int) -> Values:
        warm = mean_milliseconds(render, amount, lambda: touch(1))
        cold = (
            sum(forked_workers.result_of(lambda: mean_milliseconds(new, 1)) for _ in range(amount)) / amount
        )
        return {"warm": warm, "cold": cold}

    return measure


def floor(workers: int, sets: int = SETS) -> Measure:
    directory = Path(tempfile.mkdtemp())

    def keep(number: int) -> None:
        cells, _, touch = series.floor_cells(sets)
        touch(1)
        labels = "\n".join(json.dumps(each) for each in series.label_sets(sets))
        (directory / f"{number}.labels").write_text(labels)
        (directory / f"{number}.cells").write_bytes(cells)

    for number in range(workers):
        keep(number)
    warm = WorkersFloor(series.NAME, directory)
    return pages(lambda share: None, warm.render, lambda: WorkersFloor(series.NAME, directory).render())


def ours(workers: int, sets: int = SETS) -> Measure:
    telemetry, touch = series.ours(sets, directory=tempfile.mkdtemp())
    forked_workers.keep_running(lambda: touch(1), workers - 1)
    touch(1)
    return pages(touch, telemetry.render, telemetry.render)


def prometheus_client(workers: int, sets: int = SETS) -> Measure:
    directory = peers.multiprocess()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    def page() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    touch = series.prometheus_client(sets)
    forked_workers.keep_running(lambda: touch(1), workers - 1)
    touch(1)
    return pages(touch, page, page)


QUESTION = Question(
    "workers",
    "A page over many workers with 1,000 label sets each, in one of them",
    "ms",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client, multiprocess", prometheus_client, ("prometheus-client",), most=8),
    ),
    {
        "tiny": Effort(1, 1, 1, (2,)),
        "quick": Effort(1, 5, 1, (1, 4, 8, 16)),
        "full": Effort(3, 7, 1, (1, 4, 8, 16)),
    },
    case="workers",
)
