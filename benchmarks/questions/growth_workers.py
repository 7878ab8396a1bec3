"""How the cost of a page grows with the number of workers."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.question import Contestant, Effort, Measure, Question
from benchmarks.questions import workers

SERIES = 100


def _contestant(name: str, make: Callable[[int, int], Measure], largest_case: float = 100) -> Contestant:
    """A contestant of the question ``workers``, with fewer series."""
    return Contestant(name, lambda case: make(case, SERIES), largest_case=largest_case)


QUESTION = Question(
    "growth_workers",
    f"A page over many workers with {SERIES} series each",
    "ms",
    (
        _contestant("floor", workers.floor),
        _contestant("ours", workers.ours),
        _contestant("prometheus_client, multiprocess", workers.prometheus_client, largest_case=10),
    ),
    {
        "tiny": Effort(1, 1, 1, (2,)),
        "quick": Effort(1, 4, 1, (1, 10, 50)),
        "full": Effort(3, 6, 1, (1, 10, 100)),
    },
    case="workers",
)
