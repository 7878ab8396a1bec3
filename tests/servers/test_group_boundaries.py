"""Servers that must not count together: two of one shell, two containers, and one that a worker starts."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.container import COMMAND
from tests.servers.server import APPS, Server, gunicorn, run_server
from tests.waiting import wait_until

pytestmark = pytest.mark.server

STARTS_ANOTHER = """
import subprocess, sys

def post_worker_init(worker):
    if worker.age == 1:
        command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "{app}"]
        subprocess.Popen(command)
"""


def may_make_pid_namespaces() -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run([*COMMAND, "true"], check=False, capture_output=True).returncode == 0
    return False


@contextlib.contextmanager
def container(tmp_path: Path) -> Iterator[Server]:
    """Run gunicorn with two workers as pid 1 of a new pid namespace."""
    port = free_port()
    command = ["tests.servers.container", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", APPS["flask"]]
    with run_server(command, port, tmp_path, {}) as server:
        yield server


@pytest.mark.skipif(
    not may_make_pid_namespaces(), reason="NOT TESTED: this user may not make a pid namespace"
)
def test_containers_with_the_same_pids_are_separate_groups(tmp_path: Path) -> None:
    with container(tmp_path) as one, container(tmp_path) as other:
        # The answers have the pids inside the container, where gunicorn is 1.
        answered = one.work_until_several_answer(60)
        assert len(answered) == 2
        assert 1 not in answered
        other.work(17)
        one.wait_for_requests(answered.total())
        other.wait_for_requests(17)
        assert one.request_totals() == {answered.total()}
        assert other.request_totals() == {17}


def test_two_servers_of_one_shell_are_separate_groups(tmp_path: Path) -> None:
    with (
        gunicorn("gunicorn-sync", tmp_path, workers=2) as one,
        gunicorn("gunicorn-sync", tmp_path, workers=2) as other,
    ):
        one.work(30)
        one.wait_for_requests(30)
        other.work(7)
        other.wait_for_requests(7)
        assert one.request_totals() == {30}
        assert other.request_totals() == {7}


def test_a_server_started_by_a_worker_is_a_separate_group(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(STARTS_ANOTHER.format(port=port, app=APPS["flask"]))
    with gunicorn("gunicorn-sync", tmp_path, "-c", str(config), workers=2) as server:
        inner = Server(server.process, port, server.log)
        wait_until(inner.is_up, 20, "the other server", details=server.log.read_text)
        server.work(40)
        inner.work(9)
        server.wait_for_requests(40)
        inner.wait_for_requests(9)
        assert server.request_totals() == {40}
        assert inner.request_totals() == {9}
