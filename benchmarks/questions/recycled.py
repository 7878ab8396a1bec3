"""CPU time of a page over 8 workers, after other workers have recorded and died."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from benchmarks import forked_workers, peers, series
from benchmarks.question import Contestant, Effort, Measure, Question
from benchmarks.series import Touch
from benchmarks.timing import cpu_milliseconds

ALIVE = 8
SERIES = 200

SHARE = 0.1
"""The share of the series in which a worker records before it dies."""

SCRAPE_EVERY = 100
"""The number of dead workers between two scrapes."""


def page_after_deaths(deaths: int, touch: Touch, render: Callable[[], object]) -> Measure:
    """Milliseconds per page."""
    forked_workers.keep_running(lambda: touch(1), ALIVE - 1)
    touch(1)
    for number in range(deaths):
        forked_workers.run_and_die(lambda: touch(SHARE))
        if number % SCRAPE_EVERY == SCRAPE_EVERY - 1:
            render()
    render()
    return lambda repetitions: {"": cpu_milliseconds(render, repetitions, lambda: touch(1))}


def ours(deaths: int) -> Measure:
    telemetry, touch = series.ours(SERIES, directory=tempfile.mkdtemp())
    return page_after_deaths(deaths, touch, telemetry.render)


def prometheus_client(deaths: int) -> Measure:
    render = peers.multiprocess_page()
    return page_after_deaths(deaths, series.prometheus_client(SERIES), render)


QUESTION = Question(
    "recycled",
    f"A page over {ALIVE} workers with {SERIES} series each, after other workers have died",
    "ms",
    (
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant(
            "prometheus_client, multiprocess", prometheus_client, ("prometheus-client",), largest_case=100
        ),
    ),
    {
        "tiny": Effort(1, 1, 1, (3,)),
        "quick": Effort(1, 7, 2, (0, 100, 500)),
        "full": Effort(3, 15, 3, (0, 100, 10_000)),
    },
    case="dead workers",
    floor="",
)
