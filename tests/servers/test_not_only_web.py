"""The programs of docs/not-only-web.md: a loop, a script, and a function that is frozen between its calls."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import total
from tests.servers.workers import worker
from tests.waiting import wait_until

pytestmark = pytest.mark.server

DOCUMENT = Path(os.environ.get("TEST_CHECKOUT", "."), "docs/not-only-web.md").read_text(encoding="utf-8")


def program(heading: str) -> str:
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    programs: list[str] = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return programs[0]


def test_a_loop_shows_its_page_and_pushes(tmp_path: Path) -> None:
    (tmp_path / "nightly.py").write_text(program("A scheduler or another loop"))
    with Receiver() as receiver:
        env = {**push_settings(receiver, interval=200), "PYTHONPATH": str(tmp_path)}
        with worker(["nightly"], tmp_path, **env) as server:
            wait_until(lambda: total(server.page(), "nightly_runs_total") == 1, 20, "the page")
            wait_until(lambda: pushed_total(receiver, "nightly.runs") == 1, 20, "a push")


@pytest.mark.parametrize(
    ("end", "status"),
    [("", 0), ("raise SystemExit(3)", 3), ("raise ValueError", 1)],
    ids=["", "exit", "error"],
)
def test_a_script_pushes_at_its_end(end: str, status: int) -> None:
    with Receiver() as receiver:
        code = f"{program('A script')}\n{end}\n"
        env = {**os.environ, **push_settings(receiver, interval=60_000)}
        finished = subprocess.run(
            [sys.executable, "-c", code], env=env, timeout=60, check=False, capture_output=True
        )
        assert finished.returncode == status
        assert pushed_total(receiver, "import.rows") == 1000


SERVE = """
import sys
for line in sys.stdin:
    print(handler({"size": int(line)}, None), flush=True)
"""


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@contextlib.contextmanager
def serving(**env: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", program("A function that is frozen between calls") + SERVE],
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def call_and_freeze(process: subprocess.Popen[str], size: int) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.send_signal(signal.SIGCONT)
    process.stdin.write(f"{size}\n")
    process.stdin.flush()
    assert process.stdout.readline() == f"{{'size': {size}}}\n"
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(process.pid), 10, "the process to stop")


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_a_function_that_is_frozen_pushes_in_each_call(temporality: str) -> None:
    with Receiver() as receiver:
        env = push_settings(receiver)
        env["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = temporality
        with serving(**env) as process:
            for call in range(1, 4):
                call_and_freeze(process, call)
                assert pushed_total(receiver, "thumbnails.calls") == call  # the receiver adds up deltas
            process.kill()
            assert process.stderr is not None
            assert process.stderr.read() == ""
