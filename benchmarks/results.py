"""What was measured, as JSON for other programs and as a table for people."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.question import Form, Question, Values

DIRECTORY = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """A contestant's statistics in one case, by column; ``failure`` says why there are none, or no more."""

    case: int
    contestant: str
    columns: Mapping[str, Mapping[str, float]]
    failure: str | None = None


@dataclass(frozen=True)
class Result:
    """The answer to a question, and when, where and with what it was found."""

    question: str
    form: str
    taken: str
    machine: str
    versions: Mapping[str, str]
    rows: Sequence[Row]

    def find(self, contestant: str, case: int) -> Row:
        """The row of this contestant. Raises KeyError."""
        for each in self.rows:
            if (each.contestant, each.case) == (contestant, case):
                return each
        raise KeyError(f"{self.question}: {contestant} {case}")

    def cases(self) -> list[int]:
        """The cases in ascending order."""
        return sorted({each.case for each in self.rows})


def row(case: int, contestant: str, batches: Sequence[Values], failure: str | None) -> Row:
    """The statistics of a contestant's batches."""
    names = dict.fromkeys(name for values in batches for name in values)
    columns = {name: _statistics([values[name] for values in batches if name in values]) for name in names}
    return Row(case, contestant, columns, failure)


def _statistics(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": statistics.median(ordered),
        "minimum": ordered[0],
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "maximum": ordered[-1],
        "batches": len(ordered),
    }


def result(question: Question, form: Form, rows: Sequence[Row]) -> Result:
    """The rows with their circumstances."""
    taken = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, {load}"
    return Result(question.name, form, taken, machine, versions(question), rows)


def versions(question: Question) -> dict[str, str]:
    """Of the interpreter and of each contestant's distributions."""
    names = sorted({name for contestant in question.contestants for name in contestant.packages})
    return {platform.python_implementation(): platform.python_version()} | {
        name: _version(name) for name in names
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def write(found: Result, table: str, directory: Path = DIRECTORY) -> None:
    """Keep a result as ``NAME.json`` and its table as ``NAME.md``."""
    directory.mkdir(exist_ok=True)
    (directory / f"{found.question}.json").write_text(json.dumps(asdict(found), indent=1) + "\n")
    (directory / f"{found.question}.md").write_text(table)


def read(directory: Path = DIRECTORY) -> dict[str, Result]:
    """The results that are kept, by question."""
    return {path.stem: _parsed(json.loads(path.read_text())) for path in sorted(directory.glob("*.json"))}


def _parsed(found: dict[str, Any]) -> Result:
    return Result(**{**found, "rows": [Row(**each) for each in found["rows"]]})
