"""What would be uploaded: the source distribution and the wheel, built anew and checked by twine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.packaging.environments import Environment

pytestmark = pytest.mark.bare

CHECKOUT = Path(os.environ.get("TEST_CHECKOUT", ".")).resolve()


def test_twine_accepts_both_distributions(tmp_path: Path) -> None:
    from uv import find_uv_bin

    build = [find_uv_bin(), "build", "--quiet", "--out-dir", str(tmp_path), str(CHECKOUT)]
    subprocess.run(build, check=True, timeout=300)
    files = sorted(str(file) for file in tmp_path.iterdir() if file.name.startswith("dualmetrics-"))
    assert [file.endswith((".whl", ".tar.gz")) for file in files] == [True, True]
    environment = Environment(tmp_path / "venv")
    environment.install("twine>=6.1")
    done = environment.run("twine", "check", "--strict", *files, folder=tmp_path)
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout + done.stderr
