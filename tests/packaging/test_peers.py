"""Where a program that tests need is missing, they are skipped, and the last lines say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def run_without_programs(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the tests that need promtool without promtool, apt or a cache."""
    hidden = {"PATH": str(tmp_path), "TEST_BACKENDS_CACHE": str(tmp_path / "cache"), **env}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            TESTS / "unit/exporters/prometheus/test_promtool.py",
        ],
        cwd=TESTS.parent,
        env={**{key: value for key, value in os.environ.items() if key != "TEST_REQUIRE_PEERS"}, **hidden},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_is_missing_is_skipped_and_named_in_one_line_at_the_end(tmp_path: Path) -> None:
    run = run_without_programs(tmp_path)
    assert run.returncode == 0, run.stdout
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("NOT TESTED"))
    assert line.startswith("NOT TESTED against promtool: ")
    assert "apt-get install prometheus" in line


def test_what_is_missing_fails_where_programs_are_required(tmp_path: Path) -> None:
    run = run_without_programs(tmp_path, TEST_REQUIRE_PEERS="1")
    assert run.returncode == 1
    assert "NOT TESTED against promtool" in run.stdout
