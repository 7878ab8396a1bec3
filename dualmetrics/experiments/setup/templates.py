"""Fills in the files of an experiment's directory from the templates in ``files/``."""

from __future__ import annotations

import json
from importlib import resources
from string import Template

from dualmetrics.experiments.setup.manifest import SCRAPE_SECONDS, Manifest

EXECUTABLE_FILE = "start-prometheus.sh"
DATA_DIRECTORY = "data"
"""Where the experiment's Prometheus keeps its data."""
VARIANTS = ("baseline", "candidate")
_SHARED_FILES = ("prometheus.yml", EXECUTABLE_FILE, "collector.yaml", "NEXT.md")
_VARIANT_TEMPLATE = "variant.env"
FILE_NAMES = (*_SHARED_FILES, *(f"{variant}.env" for variant in VARIANTS))


class _FileTemplate(Template):
    """A template with fields ``@{name}``, because ``$`` has a meaning of its own in the files."""

    delimiter = "@"


def render_files(manifest: Manifest) -> dict[str, str]:
    """Return the content of each file by its name."""
    fields = _fields(manifest)
    files = {name: _render(name, fields) for name in _SHARED_FILES}
    for variant in VARIANTS:
        files[f"{variant}.env"] = _render(_VARIANT_TEMPLATE, {**fields, "variant": variant})
    return files


def _fields(manifest: Manifest) -> dict[str, str]:
    """Return the values of the templates' fields. JSON strings are valid YAML too."""
    return {
        "name": manifest.name,
        "url": manifest.url,
        "port": str(manifest.port),
        "hours": f"{manifest.duration / 3600:g}",
        "scrape_seconds": str(SCRAPE_SECONDS),
        "baseline": manifest.baseline,
        "candidate": manifest.candidate,
        "baseline_yaml": json.dumps(manifest.baseline),
        "candidate_yaml": json.dumps(manifest.candidate),
        "baseline_share": f"{1 - manifest.split:.0%}",
        "candidate_share": f"{manifest.split:.0%}",
    }


def _render(name: str, fields: dict[str, str]) -> str:
    file = resources.files(__package__) / "files" / name
    return _FileTemplate(file.read_text(encoding="utf-8")).substitute(fields)
