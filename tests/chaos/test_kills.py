"""25 kills of each server: no request is lost or counted twice, and no total goes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import KILLS_PER_ROUND, run_campaign

pytestmark = pytest.mark.server

KILLS = 25


@pytest.mark.parametrize(
    ("server", "options"),
    [
        ("gunicorn sync", []),
        ("gunicorn sync", ["--preload"]),
        ("gunicorn gthread", []),
        ("gunicorn asgi", ["--preload"]),
        ("uvicorn", []),
    ],
)
def test_kills_lose_nothing_and_double_nothing(server: str, options: list[str], tmp_path: Path) -> None:
    report = run_campaign(server, KILLS, tmp_path, *options)
    assert report.violations == []
    assert (report.lost, report.doubled) == (0, 0), report
    assert 0 <= report.torn <= report.kills
    assert report.counted > 50 * KILLS // KILLS_PER_ROUND
    assert report.kills >= KILLS
    assert report.scrapes > KILLS
    assert report.pushes > 1
