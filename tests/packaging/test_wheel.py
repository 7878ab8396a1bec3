"""What the built wheel contains: tox installs it, and its record lists its files."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.bare

PACKAGES = {"dualmetrics", "dualmetrics_flask", "dualmetrics_starlette"}
EXAMPLES = "dualmetrics/cli/examples"
"""Programs that the demo runs by their paths; nobody imports them from here."""


@pytest.fixture(scope="module")
def files() -> set[str]:
    return {path.as_posix() for path in metadata.files("dualmetrics") or ()}


def test_the_packages_lie_at_the_top(files: set[str]) -> None:
    folders = {name.partition("/")[0] for name in files if name.endswith(".py")}
    assert folders == PACKAGES


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_says_that_it_is_typed(package: str, files: set[str]) -> None:
    assert f"{package}/py.typed" in files


def test_the_demo_finds_the_examples(files: set[str]) -> None:
    assert {f"{EXAMPLES}/flask_app.py", f"{EXAMPLES}/fastapi_app.py"} <= files


def test_every_folder_with_code_is_a_package(files: set[str]) -> None:
    folders = {name.rpartition("/")[0] for name in files if name.endswith(".py")} - {EXAMPLES}
    assert {f"{folder}/__init__.py" for folder in folders} <= files


def test_the_licence_comes_with_it(files: set[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in files)
    assert metadata.metadata("dualmetrics")["License-Expression"] == "Apache-2.0"


def test_the_changelog_tells_of_this_version() -> None:
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert versions[0] == metadata.version("dualmetrics")


def test_the_entry_points_are_announced() -> None:
    points = {(point.group, point.name) for point in metadata.distribution("dualmetrics").entry_points}
    assert points == {
        ("console_scripts", "dualmetrics"),
        ("opentelemetry_meter_provider", "dualmetrics"),
        ("dualmetrics_routes", "starlette"),
    }
