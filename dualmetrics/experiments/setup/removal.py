"""Removing an experiment: its directory with its Prometheus, or its series in a server that has others."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dualmetrics.experiments.errors import InvalidExperimentError, UsageError
from dualmetrics.experiments.setup.manifest import MANIFEST_FILE, Manifest, checked_name
from dualmetrics.experiments.setup.prometheus_admin import PrometheusAdmin
from dualmetrics.experiments.setup.templates import DATA_DIRECTORY, TEMPLATES

STOP_TIMEOUT_SECONDS = 30.0
OWN = ("wal", "chunks_head", "lock", "queries.active")
"""What Prometheus' data directory has; one without any of it is none."""


@dataclass(frozen=True)
class Removal:
    """What there is to remove of a directory, and what is not ours and stays."""

    directory: Path
    manifest: Manifest
    own_files: list[Path]
    unknown_files: list[Path]
    running: bool

    def __call__(self) -> None:
        """Stop the server, remove what is ours, and the directory if nothing else is in it."""
        if self.running:
            PrometheusAdmin(self.manifest.url).quit()
        _wait_until_free(self.directory / DATA_DIRECTORY)
        for file in self.own_files:
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
        if not self.unknown_files:
            self.directory.rmdir()


def plan_removal(directory: Path) -> Removal:
    """Look, and touch nothing. Raises where a step would not be safe."""
    if directory.is_symlink() or not directory.is_dir():
        raise InvalidExperimentError(f"{directory} is no directory.")
    manifest = Manifest.read(directory)
    if directory.resolve().name != manifest.name:
        raise InvalidExperimentError(f"{directory} says that it is the experiment {manifest.name!r}.")
    _is_data(directory / DATA_DIRECTORY)
    known = {*TEMPLATES, MANIFEST_FILE, DATA_DIRECTORY}
    files = sorted(each for each in directory.iterdir() if each.name in known)
    strangers = sorted(each for each in directory.iterdir() if each.name not in known)
    return Removal(directory, manifest, files, strangers, _runs(directory, manifest))


def expired_directories(found: list[tuple[Path, Manifest]], now: float) -> list[Path]:
    """Those whose data need not be kept any longer."""
    return [directory for directory, manifest in found if manifest.expires < now]


def _is_data(data: Path) -> None:
    if data.is_symlink():
        raise InvalidExperimentError(f"{data} is a link; nothing behind it is touched.")
    if data.is_dir() and any(data.iterdir()) and not any((data / name).exists() for name in OWN):
        raise InvalidExperimentError(f"{data} is not the data of a Prometheus.")


def _runs(directory: Path, manifest: Manifest) -> bool:
    """Whether the server on the experiment's port is the one that keeps its data here."""
    server = PrometheusAdmin(manifest.url)
    if not server.answers():
        return False
    path = Path(server.status("flags").get("storage.tsdb.path", ""))
    return path.is_absolute() and path.resolve() == (directory / DATA_DIRECTORY).resolve()


def _wait_until_free(data: Path) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while _used(data):
        if time.monotonic() > deadline:
            raise InvalidExperimentError(f"A Prometheus still uses {data}; stop it first.")
        time.sleep(0.1)


def _used(data: Path) -> bool:
    """Whether a process was started with this directory. Its lock is no help: not every build makes one."""
    flag = f"--storage.tsdb.path={data.resolve()}".encode()
    return any(flag in words for words in _command_lines())


def _command_lines() -> Iterator[list[bytes]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended since
            yield file.read_bytes().split(b"\0")


@dataclass(frozen=True)
class Deletion:
    """The series of one experiment in a server that has others too."""

    server: PrometheusAdmin
    matcher: str
    series: int

    def __call__(self) -> int:
        """Delete them; how many queries still find."""
        self.server.delete(self.matcher)
        return self.server.series(self.matcher)


def deletion(url: str, name: str) -> Deletion:
    """Count, and touch nothing. Raises `UsageError` for a name that would match others.

    Raises `InvalidExperimentError` while a target of the experiment is scraped: its series would come back.
    """
    matcher = f'{{experiment="{checked_name(name)}"}}'
    server = PrometheusAdmin(url)
    scraped = [each for each in server.targets() if each["labels"].get("experiment") == name]
    if any(each["health"] == "up" for each in scraped) or server.value(f"count({matcher})"):
        raise InvalidExperimentError(
            f"{name} is still being scraped by {url}, or was minutes ago; remove its targets first."
        )
    return Deletion(server, matcher, server.series(matcher))


def refuse_both(mode: str, url: str | None) -> None:
    """A server is named in one mode only."""
    if (mode == "delete-series") != bool(url):
        raise UsageError("--mode delete-series and --prometheus URL go together.")
