"""What grows with the number of workers: the page, in the one that answers."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.question import Contestant, Effort, Measure, Question
from benchmarks.questions import workers

SETS = 100


def contestant(name: str, make: Callable[[int, int], Measure], most: float = 100) -> Contestant:
    """One of the question ``workers``, with fewer series."""
    return Contestant(name, lambda case: make(case, SETS), most=most)


QUESTION = Question(
    "growth_workers",
    f"Tenfold workers: a page over workers with {SETS} label sets each",
    "ms",
    (
        contestant("floor", workers.floor),
        contestant("ours", workers.ours),
        contestant("prometheus_client, multiprocess", workers.prometheus_client, most=10),
    ),
    {
        "tiny": Effort(1, 1, 1, (2,)),
        "quick": Effort(1, 4, 1, (1, 10, 50)),
        "full": Effort(3, 6, 1, (1, 10, 100)),
    },
    case="workers",
)
