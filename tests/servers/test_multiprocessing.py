"""Scripts that start their own processes: the parent's totals are exact, however the children end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers import multiprocessing_script
from tests.servers.pushes import pushed_total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

METHODS = ["fork", "spawn", "forkserver"]

CASES = [("late", "before"), ("late", "after"), ("top", "before"), ("top", "after"), ("top", "never")]
"""Where the program configures the library, and when the parent records."""

PARENT_WITHOUT_METRICS = """
import multiprocessing
from tests.servers.multiprocessing_script import record
if __name__ == "__main__":
    child = multiprocessing.get_context("{method}").Process(target=record)
    child.start()
    child.join()
"""


@pytest.mark.parametrize(("configured", "parent_records"), CASES)
@pytest.mark.parametrize("method", [*METHODS, "default"])
def test_the_parents_total_includes_what_children_counted(
    method: str, configured: str, parent_records: str
) -> None:
    finished = subprocess.run(
        [sys.executable, multiprocessing_script.__file__, method, parent_records],
        env={**os.environ, **({multiprocessing_script.AT_THE_TOP: "1"} if configured == "top" else {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    own = 0 if parent_records == "never" else multiprocessing_script.PARENT_COUNTS
    assert int(finished.stdout) == multiprocessing_script.EXPECTED + own


@pytest.mark.parametrize("method", METHODS)
def test_a_child_pushes_its_last_counts_if_its_parent_never_recorded(
    method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT_WITHOUT_METRICS.format(method=method))
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.http_endpoint)
        monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
        subprocess.run([sys.executable, str(script)], check=True, timeout=60)
        expected = multiprocessing_script.COUNTS
        wait_until(lambda: pushed_total(receiver, "jobs") == expected, 5, "the last push")
