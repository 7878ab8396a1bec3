"""The state of an experiment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dualmetrics.experiments.comparison import first_sample_time
from dualmetrics.experiments.errors import ExperimentError
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.setup.manifest import Manifest
from dualmetrics.experiments.setup.prometheus_admin import PrometheusAdmin
from dualmetrics.experiments.setup.templates import DATA_DIRECTORY
from dualmetrics.experiments.sources.prometheus import Prometheus


@dataclass(frozen=True)
class Status:
    """Whether the experiment is up, how much it has recorded, and when it ends. None means not known."""

    manifest: Manifest
    up: bool
    since: str | None
    """When the server started, in ISO 8601."""
    bytes: int
    series: int | None
    targets: dict[str, str]
    """For each variant, how many of its targets are up: ``1 of 2``."""
    began: float | None
    """The time of the first sample, in seconds since the epoch."""

    @property
    def until(self) -> float | None:
        """The declared end. None if nothing has been recorded yet."""
        return None if self.began is None else self.began + self.manifest.duration


def read_status(directory: Path) -> Status:
    """Read the state from the directory, and from its server if that is up.

    Raises `InvalidExperimentError` if the directory is not that of an experiment.
    """
    manifest = Manifest.read(directory)
    server = PrometheusAdmin(manifest.url)
    files = (file for file in (directory / DATA_DIRECTORY).rglob("*") if file.is_file())
    size = sum(file.lstat().st_size for file in files)
    if not server.is_ready():
        return Status(manifest, False, None, size, None, {}, None)
    targets = _count_targets(server, manifest)
    return Status(
        manifest, True, server.start_time(), size, server.series(), targets, _first_sample(manifest)
    )


def _count_targets(server: PrometheusAdmin, manifest: Manifest) -> dict[str, str]:
    up: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for target in server.active_targets():
        if target["labels"].get("experiment") == manifest.name:
            variant = str(target["labels"].get("variant"))
            up[variant] += target["health"] == "up"
            total[variant] += 1
    return {variant: f"{up[variant]} of {count}" for variant, count in sorted(total.items())}


def _first_sample(manifest: Manifest) -> float | None:
    source = Prometheus(manifest.url, manifest.name)
    try:
        return first_sample_time(source, source.now(), Question())
    except ExperimentError:
        return None
