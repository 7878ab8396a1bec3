"""How an experiment is doing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dualmetrics.experiments.comparison import resolve_names
from dualmetrics.experiments.errors import ExperimentError
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.setup.manifest import Manifest
from dualmetrics.experiments.setup.prometheus_admin import PrometheusAdmin
from dualmetrics.experiments.setup.templates import DATA_DIRECTORY
from dualmetrics.experiments.sources.prometheus import Prometheus
from dualmetrics.experiments.window import Window

WEEK = 7 * 86400.0


@dataclass(frozen=True)
class Status:
    """What is up, since when, how large, how long until the end. None: not known."""

    manifest: Manifest
    up: bool
    since: str | None
    bytes: int
    series: int | None
    targets: dict[str, str]
    """By variant: how many of its targets are up."""
    began: float | None

    @property
    def until(self) -> float | None:
        """The declared end; None as long as nothing was recorded."""
        return None if self.began is None else self.began + self.manifest.duration


def read_status(directory: Path) -> Status:
    """Look at the directory, and ask its server if that is up."""
    manifest = Manifest.read(directory)
    server = PrometheusAdmin(manifest.url)
    size = sum(file.lstat().st_size for file in (directory / DATA_DIRECTORY).rglob("*") if file.is_file())
    if not server.answers():
        return Status(manifest, False, None, size, None, {}, None)
    since = str(server.status("runtimeinfo")["startTime"])
    series = int(server.status("tsdb")["headStats"]["numSeries"])
    return Status(manifest, True, since, size, series, _targets(server, manifest), _began(manifest))


def _targets(server: PrometheusAdmin, manifest: Manifest) -> dict[str, str]:
    up: Counter[str] = Counter()
    all_of: Counter[str] = Counter()
    for target in server.targets():
        if target["labels"].get("experiment") == manifest.name:
            variant = str(target["labels"].get("variant"))
            up[variant] += target["health"] == "up"
            all_of[variant] += 1
    return {variant: f"{up[variant]} of {count}" for variant, count in sorted(all_of.items())}


def _began(manifest: Manifest) -> float | None:
    source = Prometheus(manifest.url, manifest.name)
    try:
        now = source.now()
        return source.began(resolve_names(source, Window(now - WEEK, now, now), Question()))
    except ExperimentError:
        return None
