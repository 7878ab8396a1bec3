"""Virtual environments of their own, with the distribution that is tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(os.environ.get("TOX_PACKAGE") or os.environ.get("TEST_CHECKOUT") or ".").resolve()
"""The built wheel under tox, else the source tree."""


class Environment:
    """A virtual environment in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, *requirements: str) -> None:
        """Create the environment and install into it, unless that was done before."""
        if self.scripts.exists():
            return
        from uv import find_uv_bin

        sources = [self._with_source(requirement) for requirement in requirements]
        for arguments in (
            ["venv", "--python", sys.executable, str(self._folder)],
            ["pip", "install", "--python", str(self.scripts / "python"), *sources],
        ):
            command = [find_uv_bin(), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, done.stderr

    @staticmethod
    def _with_source(requirement: str) -> str:
        is_ours = requirement.partition("[")[0] == "dualmetrics"
        return f"{requirement} @ {SOURCE.as_uri()}" if is_ours else requirement

    def run(self, program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end, in a folder."""
        return subprocess.run(
            [self.scripts / program, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=folder,
        )
