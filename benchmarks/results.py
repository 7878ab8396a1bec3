"""The result of a question: statistics by contestant and case, with when and where they were measured."""

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
class Measurement:
    """The statistics of one contestant in one case, by column; ``failure`` says why it dropped out."""

    case: int
    contestant: str
    columns: Mapping[str, Mapping[str, float]]
    failure: str | None = None


@dataclass(frozen=True)
class Result:
    """The answer to a question, with its form, time (UTC), machine and versions."""

    question: str
    form: str
    time: str
    machine: str
    versions: Mapping[str, str]
    measurements: Sequence[Measurement]

    def find(self, contestant: str, case: int) -> Measurement:
        """The measurement of this contestant. Raises KeyError."""
        for measurement in self.measurements:
            if (measurement.contestant, measurement.case) == (contestant, case):
                return measurement
        raise KeyError(f"{self.question}: {contestant} {case}")

    def cases(self) -> list[int]:
        """The cases in ascending order."""
        return sorted({measurement.case for measurement in self.measurements})


def summarize(case: int, contestant: str, batches: Sequence[Values], failure: str | None) -> Measurement:
    """Reduce the batches of a contestant to statistics."""
    names = dict.fromkeys(name for values in batches for name in values)
    columns = {name: _statistics([values[name] for values in batches if name in values]) for name in names}
    return Measurement(case, contestant, columns, failure)


def _statistics(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": statistics.median(ordered),
        "minimum": ordered[0],
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "maximum": ordered[-1],
        "batches": len(ordered),
    }


def make_result(question: Question, form: Form, measurements: Sequence[Measurement]) -> Result:
    """Add time, machine and versions to the measurements."""
    time = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, {load}"
    return Result(question.name, form, time, machine, _versions(question), measurements)


def _versions(question: Question) -> dict[str, str]:
    names = sorted({name for contestant in question.contestants for name in contestant.packages})
    interpreter = {platform.python_implementation(): platform.python_version()}
    return interpreter | {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def save_result(result: Result, table: str, directory: Path = DIRECTORY) -> None:
    """Write a result as ``NAME.json``, and its table as ``NAME.md``."""
    directory.mkdir(exist_ok=True)
    (directory / f"{result.question}.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (directory / f"{result.question}.md").write_text(table)


def load_results(directory: Path = DIRECTORY) -> dict[str, Result]:
    """The saved results by question."""
    return {path.stem: _parse(json.loads(path.read_text())) for path in sorted(directory.glob("*.json"))}


def _parse(document: dict[str, Any]) -> Result:
    measurements = [Measurement(**fields) for fields in document["measurements"]]
    return Result(**{**document, "measurements": measurements})
