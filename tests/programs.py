"""Python programs for tests, each run by an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run_python(code: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` to its end within a minute, with more environment variables; fail if it fails."""
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )
    assert finished.returncode == 0, finished.stderr
    return finished
