"""What an experiment's directory says of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from dualmetrics.experiments.errors import InvalidExperimentError, UsageError

MANIFEST_FILE = "experiment.json"
NAME = re.compile(r"[A-Za-z0-9_.-]+")
KEEP_SECONDS = 7 * 86400.0
"""Seconds that the data is kept after the declared end."""


@dataclass(frozen=True)
class Manifest:
    """The experiment as it was declared; times are seconds."""

    name: str
    created: float
    duration: float
    split: float
    port: int
    baseline: str
    candidate: str

    def __post_init__(self) -> None:
        checked_name(self.name)

    @property
    def url(self) -> str:
        """The experiment's own Prometheus."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def expires(self) -> float:
        """When its data may go, if it began when it was made."""
        return self.created + self.duration + KEEP_SECONDS

    def write_to(self, directory: Path) -> None:
        """Put it into its directory."""
        text = json.dumps(asdict(self), indent=2)
        (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Raises `InvalidExperimentError` if the directory has none."""
        try:
            found = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
            return cls(**found)
        except (OSError, ValueError, TypeError) as error:
            raise InvalidExperimentError(f"{directory} is no directory of an experiment: {error}.") from error

    @classmethod
    def find(cls, place: str) -> Manifest | None:
        """That of a directory, or None if ``place`` is none."""
        directory = Path(place)
        return cls.read(directory) if place and (directory / MANIFEST_FILE).is_file() else None


def checked_name(name: str) -> str:
    """The name, if it is one. Raises `UsageError`."""
    if not NAME.fullmatch(name) or name in {".", ".."}:
        raise UsageError(f"{name!r} is no name of an experiment: letters, digits, _ . - only.")
    return name
