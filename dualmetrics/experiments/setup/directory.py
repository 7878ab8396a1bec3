"""Creates the directory of an experiment, and finds existing ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dualmetrics.experiments.errors import InvalidExperimentError, UsageError
from dualmetrics.experiments.setup.manifest import MANIFEST_FILE, Manifest
from dualmetrics.experiments.setup.templates import EXECUTABLE_FILE, render_files


def create_directory(parent: Path, manifest: Manifest) -> Path:
    """Create the directory with all its files. Raises `UsageError` if it cannot be created."""
    directory = parent / manifest.name
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        raise UsageError(f"{directory} exists already.") from None
    except OSError as error:
        raise UsageError(f"{directory} cannot be created: {error.strerror}.") from None
    manifest.write_to(directory)
    for name, content in render_files(manifest).items():
        (directory / name).write_text(content, encoding="utf-8")
    (directory / EXECUTABLE_FILE).chmod(0o755)
    return directory


def find_directories(parent: Path) -> Iterator[tuple[Path, Manifest]]:
    """Yield all experiments in a directory. Those with a broken manifest are skipped."""
    for file in sorted(parent.glob(f"*/{MANIFEST_FILE}")):
        if not file.parent.is_symlink():
            try:
                yield file.parent, Manifest.read(file.parent)
            except (InvalidExperimentError, UsageError):
                continue
