"""The parts of a question: its contestants, how much work each does, and what is compared with what."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal["tiny", "quick", "full"]

Values = Mapping[str, float]
"""What one batch measured, by column, in the unit of the question."""

Measure = Callable[[int], Values]
"""Runs a batch of this many repetitions."""

QUESTIONS = (
    "asgi",
    "wsgi",
    "fastapi",
    "instruments",
    "threads",
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
"""The modules of ``benchmarks.questions``; each defines a ``QUESTION``."""


@dataclass(frozen=True)
class Contestant:
    """One way to do what the question asks.

    ``make`` is called with the case in a process of its own, and returns the function that runs a batch.
    ``packages`` are the distributions whose versions the result names. The quick form skips cases above
    ``largest_case``.
    """

    name: str
    make: Callable[[int], Measure]
    packages: tuple[str, ...] = ()
    largest_case: float = math.inf


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Each contestant gets this many processes, one after the other. Each process runs ``rounds`` batches of
    ``repetitions``.
    """

    processes: int
    rounds: int
    repetitions: int
    cases: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Question:
    """One thing to measure.

    ``unit`` is the unit of the values, and ``case`` says what a case counts. The cost of the contestant
    ``base`` is subtracted before anything is divided by the cost of ``floor``. ``statistics`` are the ones
    that the table shows. ``required_program`` is a program without which the question is skipped.
    """

    name: str
    title: str
    unit: str
    contestants: tuple[Contestant, ...]
    efforts: Mapping[Form, Effort]
    case: str = ""
    base: str = ""
    floor: str = "floor"
    statistics: tuple[str, ...] = ("median", "minimum")
    required_program: str = ""

    def contestant(self, name: str) -> Contestant:
        """The contestant with this name. Raises LookupError."""
        for contestant in self.contestants:
            if contestant.name == name:
                return contestant
        raise LookupError(f"question {self.name!r} has no contestant {name!r}")


def load_question(name: str) -> Question:
    """The question with this name. Raises ModuleNotFoundError."""
    question: Question = importlib.import_module(f"benchmarks.questions.{name}").QUESTION
    return question
