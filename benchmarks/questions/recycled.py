"""What a page costs over 8 workers, after others have come, counted and gone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from benchmarks import forked_workers, peers, series
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch
from benchmarks.timing import mean_milliseconds

ALIVE = 8
SETS = 200
SHARE = 0.1
"""Of the series, in which a worker that comes and goes records."""

OFTEN = 100
"""Workers after which the page is asked for, as Prometheus would."""


def pages(gone: int, touch: Touch, render: Callable[[], object]) -> Measure:
    """Milliseconds a page."""
    forked_workers.keep_running(lambda: touch(1), ALIVE - 1)
    touch(1)
    for number in range(gone):
        forked_workers.run_and_die(lambda: touch(SHARE))
        if number % OFTEN == OFTEN - 1:
            render()
    render()
    return lambda amount: _measured(amount, touch, render)


def _measured(amount: int, touch: Touch, render: Callable[[], object]) -> Values:
    return {"": mean_milliseconds(render, amount, lambda: touch(1))}


def ours(gone: int) -> Measure:
    telemetry, touch = series.ours(SETS, directory=tempfile.mkdtemp())
    return pages(gone, touch, telemetry.render)


def prometheus_client(gone: int) -> Measure:
    directory = peers.multiprocess()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    def page() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    return pages(gone, series.prometheus_client(SETS), page)


QUESTION = Question(
    "recycled",
    f"A page over {ALIVE} workers with {SETS} label sets each, after others have come and gone",
    "ms",
    (
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client, multiprocess", prometheus_client, ("prometheus-client",), most=100),
    ),
    {
        "tiny": Effort(1, 1, 1, (3,)),
        "quick": Effort(1, 7, 2, (0, 100, 500)),
        "full": Effort(3, 15, 3, (0, 100, 10_000)),
    },
    case="workers gone",
    floor="",
)
