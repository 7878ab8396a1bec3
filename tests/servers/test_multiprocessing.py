"""Scripts that start their own processes: the parent's totals are exact, however the children end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers import multiprocessing_script
from tests.servers.test_totals import pushed
from tests.waiting import wait_until

pytestmark = pytest.mark.server

METHODS = ["fork", "spawn", "forkserver"]

LAST_WORDS = """
import multiprocessing
from tests.servers.multiprocessing_script import record
if __name__ == "__main__":
    child = multiprocessing.get_context("{method}").Process(target=record)
    child.start()
    child.join()
"""


@pytest.mark.parametrize("parent", ["before", "after"])
@pytest.mark.parametrize("method", METHODS)
def test_what_children_counted_is_in_the_parents_total(method: str, parent: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.servers.multiprocessing_script", method, parent],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(done.stdout) == multiprocessing_script.EXPECTED


@pytest.mark.parametrize("method", METHODS)
def test_a_child_that_ends_last_delivers_though_its_parent_never_recorded(
    method: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = tmp_path_factory.mktemp("script") / "parent.py"
    script.write_text(LAST_WORDS.format(method=method))
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.http_endpoint)
        monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
        subprocess.run([sys.executable, str(script)], check=True, timeout=60)
        wait_until(lambda: pushed(receiver, "jobs") == multiprocessing_script.EACH, 5, "the last push")
