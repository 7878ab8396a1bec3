"""A server treats an app whose startup fails as it does without us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import run_server

pytestmark = pytest.mark.server

APP = "tests.servers.failing_app:app"
LABELS = (("http_method", "GET"), ("http_route", "unmatched"), ("http_status_code", "200"))


@pytest.mark.parametrize("metrics", ["", "yes"])
@pytest.mark.parametrize("when", ["early", "late"])
def test_a_failed_startup_ends_a_server_that_insists_on_lifespans(metrics: str, when: str) -> None:
    command = [sys.executable, "-m", "uvicorn", "--port", str(free_port()), "--lifespan", "on", APP]
    env = {**os.environ, "METRICS": metrics, "FAIL": when}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 3
    assert "RuntimeError: no database" in ended.stderr
    assert "Application startup failed. Exiting." in ended.stderr


@pytest.mark.parametrize("when", ["early", "late"])
def test_an_app_without_lifespans_is_served(tmp_path: Path, when: str) -> None:
    port = free_port()
    command = ["uvicorn", "--port", str(port), APP]
    with run_server(command, port, tmp_path, {"METRICS": "yes", "FAIL": when}) as server:
        assert server.get("/")[1] == b"serving"
        assert server.page()["http_requests_total", LABELS] == 1
