"""Forks, recycling, stopped and killed workers: there is a push in every interval, and it equals the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.push_campaign import run_push_campaign
from tests.chaos.push_subjects import SUBJECTS, WORKERS

pytestmark = pytest.mark.server

SECONDS = 20.0


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_group_pushes_in_every_interval_and_what_its_page_shows(name: str, tmp_path: Path) -> None:
    report = run_push_campaign(name, SECONDS, tmp_path)
    assert report.violations == []
    assert report.quiet >= 2
    assert report.jobs > 100
    assert report.faults["stop"] > 5
    assert report.processes > WORKERS
