"""docs/versions.md says with which versions the tests run."""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path

import pytest

from dualmetrics_zero_code import frameworks as zero_code
from tests.packaging.versions import (
    FRAMEWORKS,
    lowest_versions,
    newest_versions,
    numbers,
    optional_dependencies,
    row,
)

CHECKOUT = Path(os.environ.get("TEST_CHECKOUT", "."))
DOCUMENT = (CHECKOUT / "docs" / "versions.md").read_text(encoding="utf-8")
EXTRAS = optional_dependencies((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
LINES = dict(re.findall(r"^(?=\|.*`(\w+)`)(.*)$", DOCUMENT, re.MULTILINE))
NEWEST = newest_versions(DOCUMENT)
NO_FRAMEWORK = {"cli", "demo", "experiments", "host", "instrument", "prometheus", "testing"}


def test_every_framework_has_a_row() -> None:
    assert EXTRAS.keys() == set(metadata.metadata("dualmetrics").get_all("Provides-Extra") or ())
    assert LINES.keys() == NEWEST.keys() == FRAMEWORKS.keys() == EXTRAS.keys() - NO_FRAMEWORK


@pytest.mark.parametrize("extra", sorted(FRAMEWORKS))
def test_the_lowest_version_is_that_of_the_extra(extra: str) -> None:
    newest = NEWEST[extra]
    lowest = lowest_versions(EXTRAS, extra)
    assert LINES[extra] == row(extra, lowest, newest)
    assert all(numbers(version) <= numbers(newest) for version in lowest.values())


@pytest.mark.parametrize("name", sorted(zero_code.FRAMEWORKS))
def test_unchanged_apps_need_the_version_of_the_extra(name: str) -> None:
    lowest = lowest_versions(EXTRAS, name)[""]
    assert zero_code.FRAMEWORKS[name].requirement == f"{name} >= {lowest}"


@pytest.mark.parametrize("extra", sorted(FRAMEWORKS))
def test_no_newer_major_version_is_tested_than_the_table_says(extra: str) -> None:
    installed = numbers(metadata.version(extra))
    assert installed[0] <= numbers(NEWEST[extra])[0], "run python -m tests.packaging.versions"
