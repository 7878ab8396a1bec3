"""The file that declares an experiment, in the experiment's directory."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from dualmetrics.experiments.errors import InvalidExperimentError, UsageError

MANIFEST_FILE = "experiment.json"
KEEP_SECONDS = 7 * 86400.0
"""The data is kept for so long after the declared end."""
SCRAPE_SECONDS = 15
"""The time between two scrapes of the experiment's Prometheus."""
MAX_SECONDS = 100 * 365 * 86400.0
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_ADDRESS = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


@dataclass(frozen=True)
class Manifest:
    """The experiment as it was declared.

    ``created`` is in seconds since the epoch, ``duration`` in seconds; ``split`` is the candidate's share of
    the traffic; ``baseline`` and ``candidate`` are the addresses (``host:port``) of their pages. Raises
    `UsageError` if the name is not allowed.
    """

    name: str
    created: float
    duration: float
    split: float
    port: int
    baseline: str
    candidate: str

    def __post_init__(self) -> None:
        check_experiment_name(self.name)
        for variant in ("baseline", "candidate"):
            check_address(variant, getattr(self, variant))
        if not 0 < self.duration <= MAX_SECONDS or not 0 <= self.created < inf:
            raise UsageError("The duration must be above 0, and at most 100 years.")
        if not 0 < self.split < 1 or not 1 <= self.port <= 65535:
            raise UsageError("The split must give both variants a share, and the port must be 1 to 65535.")

    @property
    def url(self) -> str:
        """The address of the experiment's own Prometheus."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def expires(self) -> float:
        """When the data may be removed, assuming that the experiment started when it was created."""
        return self.created + self.duration + KEEP_SECONDS

    def write_to(self, directory: Path) -> None:
        """Write the manifest into the experiment's directory."""
        text = json.dumps(asdict(self), indent=2)
        (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read the manifest of a directory. Raises `InvalidExperimentError` if it has none."""
        try:
            fields = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
            return cls(**fields)
        except FileNotFoundError as error:
            raise InvalidExperimentError(
                f"{directory} is not the directory of an experiment: it has no {MANIFEST_FILE}."
            ) from error
        except (OSError, ValueError, TypeError, RecursionError, UsageError) as error:
            raise InvalidExperimentError(
                f"{directory} is not the directory of an experiment. {MANIFEST_FILE}: {error}"
            ) from error

    @classmethod
    def find(cls, path: str) -> Manifest | None:
        """Read the manifest if ``path`` is the directory of an experiment, else return None."""
        directory = Path(path)
        try:
            is_experiment = bool(path) and (directory / MANIFEST_FILE).is_file()
        except (OSError, ValueError):  # no name of a file, for example too long
            return None
        return cls.read(directory) if is_experiment else None


def check_experiment_name(name: str) -> None:
    """Raise `UsageError` unless the name is safe in a path, a label and a shell command."""
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise UsageError(f"{name!r} is not a valid name: use only letters, digits, and _ . -")


def check_address(variant: str, address: str) -> None:
    """Raise `UsageError` unless this is a host with a port, which the files of an experiment need."""
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"The {variant} is {address!r}, not an address like 127.0.0.1:8001.")
