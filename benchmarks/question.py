"""What a question is: contestants, how much work each does, and what is compared with what."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal["tiny", "quick", "full"]

Values = Mapping[str, float]
"""What one batch measured, by column, in the question's unit."""

Measure = Callable[[int], Values]
"""Does a batch of so much work."""

QUESTIONS = (
    "asgi",
    "wsgi",
    "fastapi",
    "instruments",
    "page",
    "workers",
    "recycled",
    "otlp",
    "registry",
    "uvicorn",
    "gunicorn",
    "stall",
    "memory",
    "imports",
    "growth_series",
    "growth_workers",
    "growth_routes",
)
"""Each is a module of ``benchmarks.questions`` with its `Question`."""


@dataclass(frozen=True)
class Contestant:
    """One way to do it. ``make`` gets the case, in a process of its own, and gives what does a batch.

    ``packages`` are the distributions whose versions are worth telling. In the quick form a case larger than
    ``most`` is left out.
    """

    name: str
    make: Callable[[int], Measure]
    packages: tuple[str, ...] = ()
    most: float = math.inf


@dataclass(frozen=True)
class Effort:
    """How much is done: ``processes`` of each contestant one after the other, ``rounds`` of batches each."""

    processes: int
    rounds: int
    amount: int
    cases: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Question:
    """What is asked. ``unit`` is what the values are in, ``case`` what a case is a number of.

    What the contestant ``base`` costs is taken off before anything is divided by what ``floor`` costs.
    ``shown`` are the statistics in the table. ``needs`` is a program without which nothing can be asked.
    """

    name: str
    title: str
    unit: str
    contestants: tuple[Contestant, ...]
    efforts: Mapping[Form, Effort]
    case: str = ""
    base: str = ""
    floor: str = "floor"
    shown: tuple[str, ...] = ("median", "minimum")
    needs: str = ""

    def contestant(self, name: str) -> Contestant:
        """The one of this name. Raises LookupError."""
        for contestant in self.contestants:
            if contestant.name == name:
                return contestant
        raise LookupError(f"no contestant {name!r} for {self.name}")


def load(name: str) -> Question:
    """The question of this name. Raises ModuleNotFoundError."""
    question: Question = importlib.import_module(f"benchmarks.questions.{name}").QUESTION
    return question
