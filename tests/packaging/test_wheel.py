"""The files of the built wheel, which tox installs."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.bare

PACKAGES = {
    "dualmetrics",
    "dualmetrics_aiohttp",
    "dualmetrics_bottle",
    "dualmetrics_celery",
    "dualmetrics_connexion",
    "dualmetrics_django",
    "dualmetrics_falcon",
    "dualmetrics_flask",
    "dualmetrics_litestar",
    "dualmetrics_pyramid",
    "dualmetrics_pytest",
    "dualmetrics_quart",
    "dualmetrics_rq",
    "dualmetrics_starlette",
    "dualmetrics_tornado",
    "dualmetrics_zero_code",
}
EXAMPLES = "dualmetrics/cli/examples"
"""Programs that the demo runs by path; they are not imported from there."""
SITE = "dualmetrics_zero_code/site"
"""Is put on PYTHONPATH for its `sitecustomize`."""


@pytest.fixture(scope="module")
def files() -> set[str]:
    return {path.as_posix() for path in metadata.files("dualmetrics") or ()}


def test_the_top_level_has_our_packages_only(files: set[str]) -> None:
    folders = {name.partition("/")[0] for name in files if name.endswith(".py")}
    assert folders == PACKAGES


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_is_marked_as_typed(package: str, files: set[str]) -> None:
    assert f"{package}/py.typed" in files


def test_the_examples_of_the_demo_are_included(files: set[str]) -> None:
    assert {f"{EXAMPLES}/flask_app.py", f"{EXAMPLES}/fastapi_app.py"} <= files


def test_the_templates_of_experiments_are_included(files: set[str]) -> None:
    folder = "dualmetrics/experiments/setup/files"
    names = ("prometheus.yml", "start-prometheus.sh", "collector.yaml", "variant.env", "NEXT.md")
    assert {f"{folder}/{name}" for name in names} <= files


def test_every_folder_with_code_is_a_package(files: set[str]) -> None:
    folders = {name.rpartition("/")[0] for name in files if name.endswith(".py")} - {EXAMPLES, SITE}
    assert {f"{folder}/__init__.py" for folder in folders} <= files


def test_the_license_is_included(files: set[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in files)
    assert metadata.metadata("dualmetrics")["License-Expression"] == "Apache-2.0"


def test_the_changelog_has_this_version() -> None:
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert versions[0] == metadata.version("dualmetrics")
