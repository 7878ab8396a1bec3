"""The demo, run for real."""

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


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    arguments = [*DUALMETRICS, "demo", "--rounds", "5", *options]
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=180, env=environment, check=False
    )


def test_all_numbers_are_equal_though_workers_were_killed() -> None:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("killed with SIGKILL") == 2
    assert "DIFFERENT" not in done.stdout
    for app in ("flask on gunicorn: 60 requests", "fastapi on uvicorn: 60 requests"):
        assert app in done.stdout
    assert len(re.findall(r"shop_orders_total\{payment=card\} +│ 10 +│ 10 +│ 10 +│ equal", done.stdout)) == 2


def test_a_collector_of_the_users_gets_the_pushes() -> None:
    with Receiver() as receiver:
        done = demo("--endpoint", receiver.http_endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not asked" in done.stdout
        totals = {
            service: sum(
                found.value
                for (of, name, _, _), found in receiver.series().items()
                if (of, name) == (service, "http.requests")
            )
            for service in ("demo-flask", "demo-fastapi")
        }
        assert totals == {"demo-flask": 60, "demo-fastapi": 60}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with (tmp_path / "log").open("wb") as output:
        arguments = [*DUALMETRICS, "demo", "--rounds", "100000"]
        process = psutil.Popen(arguments, stdout=output, stderr=output)
    wait_until(lambda: len(process.children(recursive=True)) >= 6, 60, "the servers")
    children = process.children(recursive=True)
    process.send_signal(number)
    assert process.wait(30) == 130
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert gone
