"""Making an experiment's directory, and finding those there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dualmetrics.experiments.errors import InvalidExperimentError, UsageError
from dualmetrics.experiments.setup.manifest import MANIFEST_FILE, Manifest
from dualmetrics.experiments.setup.templates import EXECUTABLE, TEMPLATES


def create_directory(parent: Path, manifest: Manifest) -> Path:
    """The directory with all its files. Raises `UsageError` if there is something of that name."""
    directory = parent / manifest.name
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        raise UsageError(f"{directory} exists already.") from None
    except OSError as error:
        raise UsageError(f"{directory} cannot be made: {error.strerror}.") from None
    manifest.write_to(directory)
    for name, content in TEMPLATES.items():
        (directory / name).write_text(content(manifest), encoding="utf-8")
    (directory / EXECUTABLE).chmod(0o755)
    return directory


def find_directories(parent: Path) -> Iterator[tuple[Path, Manifest]]:
    """All experiments in a directory; a broken one is passed over."""
    for file in sorted(parent.glob(f"*/{MANIFEST_FILE}")):
        if not file.parent.is_symlink():
            try:
                yield file.parent, Manifest.read(file.parent)
            except (InvalidExperimentError, UsageError):
                continue
