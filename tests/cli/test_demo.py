"""The demo, run with real servers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.cli.test_commands import DUALMETRICS
from tests.waiting import wait_until

pytestmark = pytest.mark.server


def run_demo(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    arguments = [*DUALMETRICS, "demo", "--rounds", "5", *options]
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=180, env=environment, check=False
    )


def test_all_numbers_are_equal_although_workers_were_killed() -> None:
    done = run_demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("killed with SIGKILL") == 2
    assert "DIFFERENT" not in done.stdout
    for app in ("flask on gunicorn: 60 requests", "fastapi on uvicorn: 60 requests"):
        assert app in done.stdout
    assert len(re.findall(r"shop_orders_total\{payment=card\} +│ 10 +│ 10 +│ 10 +│ equal", done.stdout)) == 2


def test_a_collector_given_by_the_user_receives_the_pushes() -> None:
    with Receiver() as receiver:
        done = run_demo("--endpoint", receiver.http_endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not known" in done.stdout
        for service in ("demo-flask", "demo-fastapi"):
            points = [
                point
                for key, point in receiver.series().items()
                if (key.service, key.name) == (service, "http.requests")
            ]
            assert sum(point.value for point in points) == 60


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with (tmp_path / "log").open("wb") as output:
        arguments = [*DUALMETRICS, "demo", "--rounds", "100000"]
        process = psutil.Popen(arguments, stdout=output, stderr=output)
    wait_until(lambda: len(process.children(recursive=True)) >= 6, 60, "the servers")
    children = process.children(recursive=True)
    process.send_signal(number)
    assert process.wait(30) == 130
    ended, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert ended
