"""Removes an experiment: stops its Prometheus and deletes its directory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dualmetrics.experiments.errors import InvalidExperimentError, UnreachableError
from dualmetrics.experiments.setup.manifest import MANIFEST_FILE, Manifest
from dualmetrics.experiments.setup.prometheus_admin import PrometheusAdmin
from dualmetrics.experiments.setup.templates import DATA_DIRECTORY, FILE_NAMES

STOP_TIMEOUT_SECONDS = 30.0
PROMETHEUS_FILES = ("wal", "chunks_head", "lock", "queries.active")
"""What a Prometheus creates in its data directory. A directory without any of them is not one."""


@dataclass(frozen=True)
class Removal:
    """What would be removed. ``unknown_files`` were not created by us and stay."""

    directory: Path
    manifest: Manifest
    own_files: list[Path]
    unknown_files: list[Path]
    running: bool
    """Whether the experiment's Prometheus is running."""

    def __call__(self) -> None:
        """Stop the server, and remove our files, and the directory if nothing else is in it.

        Raises `InvalidExperimentError` if the server does not stop.
        """
        if self.running:
            PrometheusAdmin(self.manifest.url).stop()
        _wait_until_unused(self.directory / DATA_DIRECTORY)
        for file in self.own_files:
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
        if not self.unknown_files:
            self.directory.resolve().rmdir()  # the operating system refuses `rmdir .`


def plan_removal(directory: Path) -> Removal:
    """Find out what to remove, and change nothing.

    Raises `InvalidExperimentError` if this is not surely the directory of an experiment.
    """
    if directory.is_symlink() or not directory.is_dir():
        raise InvalidExperimentError(f"{directory} is not a directory.")
    manifest = Manifest.read(directory)
    if directory.resolve().name != manifest.name:
        raise InvalidExperimentError(
            f"{directory} contains the manifest of the experiment {manifest.name!r}."
        )
    _check_data(directory / DATA_DIRECTORY)
    own_names = {*FILE_NAMES, MANIFEST_FILE, DATA_DIRECTORY}
    own_files = sorted(file for file in directory.iterdir() if file.name in own_names)
    # The manifest goes last. As long as it is there, an interrupted removal can be repeated.
    own_files.sort(key=lambda file: file.name == MANIFEST_FILE)
    unknown_files = sorted(file for file in directory.iterdir() if file.name not in own_names)
    return Removal(directory, manifest, own_files, unknown_files, _is_running(directory, manifest))


def expired_directories(experiments: list[tuple[Path, Manifest]], now: float) -> list[Path]:
    """Return the directories whose data need not be kept any longer."""
    return [directory for directory, manifest in experiments if manifest.expires < now]


def _check_data(data: Path) -> None:
    if data.is_symlink():
        raise InvalidExperimentError(f"{data} is a symbolic link; its target is not removed.")
    if data.is_dir() and any(data.iterdir()) and not any((data / name).exists() for name in PROMETHEUS_FILES):
        raise InvalidExperimentError(f"{data} is not the data directory of a Prometheus.")


def _is_running(directory: Path, manifest: Manifest) -> bool:
    """Return whether the server on the experiment's port is the one whose data is in this directory."""
    try:
        path = PrometheusAdmin(manifest.url).data_path()
    except UnreachableError:  # nothing is there, or it is no Prometheus
        return False
    return path.is_absolute() and path.resolve() == (directory / DATA_DIRECTORY).resolve()


def _wait_until_unused(data: Path) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while _is_used(data):
        if time.monotonic() > deadline:
            raise InvalidExperimentError(f"A Prometheus still uses {data}; stop it first.")
        time.sleep(0.1)


def _is_used(data: Path) -> bool:
    """Return whether a process was started with this directory.

    Prometheus' lock file does not help, because not every build creates one.
    """
    flag = f"--storage.tsdb.path={data.resolve()}".encode()
    return any(flag in arguments for arguments in _command_lines())


def _command_lines() -> Iterator[list[bytes]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # the process has ended in the meantime
            yield file.read_bytes().split(b"\0")
