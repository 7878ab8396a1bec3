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
from tests.cli.commands import DUALMETRICS, running
from tests.experiments.exporters import Exporter, serving
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
    assert re.search(
        r"\nAll \d+ values equal on the page and in the push; 2 workers killed, nothing lost\.\nflask on",
        done.stdout,
    ), "the verdict comes before the tables"
    assert len(re.findall(r"shop_orders_total\{payment=card\} +│ 10 +│ 10 +│ 10 +│ equal", done.stdout)) == 2


def test_a_collector_given_by_the_user_receives_the_pushes() -> None:
    with Receiver() as receiver:
        done = run_demo("--endpoint", receiver.http_endpoint)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not known" in done.stdout
        assert re.search(
            r"values equal on the page; 2 workers killed, nothing lost\. http://\S+ took \d+ pushes",
            done.stdout,
        )
        for service in ("demo-flask", "demo-fastapi"):
            points = [
                point
                for key, point in receiver.series().items()
                if (key.service, key.name) == (service, "http.requests")
            ]
            assert sum(point.value for point in points) == 60


def test_an_endpoint_where_nobody_listens_is_a_failure(port: int) -> None:
    done = run_demo("--endpoint", f"http://user:s3cret@127.0.0.1:{port}")
    assert done.returncode == 5
    assert done.stderr.startswith(
        f"Error: nothing can be pushed to http://***@127.0.0.1:{port}, which cannot be"
    )
    assert len(done.stderr.splitlines()) == 1


def test_an_endpoint_that_refuses_every_push_is_a_failure() -> None:
    with serving(Exporter()) as address:  # it answers no POST
        done = run_demo("--endpoint", f"http://{address}")
    assert done.returncode == 5
    assert "values equal" not in done.stdout
    assert re.search(
        rf"the push of flask to http://{address} does not work: 0 succeeded, \d+ failed", done.stderr
    )
    assert "HTTP 501" in done.stderr, "the reason is missing"


def test_on_a_terminal_of_80_columns_no_label_is_cut_and_the_shell_changes_nothing() -> None:
    shell = {"OTEL_SDK_DISABLED": "true", "DUALMETRICS_CONVENTION": "semconv", "WEB_CONCURRENCY": "7"}
    with running("demo", "--rounds", "1", columns=80, http_proxy="http://127.0.0.1:1", **shell) as command:
        command.process.wait(120)
        assert command.end() == 0, command.output
        tables = command.output.partition("flask on gunicorn")[2]
    for word in (
        "http_request_duration_milliseconds_count ",
        "{http_method=POST, ",
        "http_route=/orders/<int:value>, ",
        "http_status_code=200} ",
        "system_memory_usage_bytes{state=used} ",
    ):
        assert word in tables, tables


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
