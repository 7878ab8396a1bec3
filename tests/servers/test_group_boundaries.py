"""What must not be one group: containers that share /dev/shm, and what a worker starts."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.container import COMMAND
from tests.servers.server import APPS, Server, gunicorn, run_server, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

STARTS_ANOTHER = """
import subprocess, sys

def post_worker_init(worker):
    if worker.age == 1:
        command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "{app}"]
        subprocess.Popen(command)
"""


def requests(server: Server) -> set[float]:
    """What the pages of several workers show."""
    return {total(server.page(), "http_requests_total") for _ in range(12)}


def permitted() -> bool:
    """Whether this user may make a pid namespace."""
    with contextlib.suppress(OSError):
        return subprocess.run([*COMMAND, "true"], check=False, capture_output=True).returncode == 0
    return False


@contextlib.contextmanager
def container(tmp_path: Path) -> Iterator[Server]:
    """gunicorn with two workers as pid 1 of a pid namespace."""
    port = free_port()
    command = ["tests.servers.container", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", APPS["flask"]]
    with run_server(command, port, tmp_path, {}) as server:
        yield server


@pytest.mark.skipif(not permitted(), reason="NOT TESTED: this user may not make a pid namespace")
def test_containers_are_groups_of_their_own_though_their_pids_are_the_same(tmp_path: Path) -> None:
    with container(tmp_path) as one, container(tmp_path) as other:
        # The pids that the answers give are those inside: two workers beside the server, which is 1.
        answered = one.work_until_several_answer(60)
        assert len(answered) == 2
        assert 1 not in answered
        other.work(17)
        one.wait_for_requests(answered.total())
        other.wait_for_requests(17)
        assert requests(one) == {answered.total()}
        assert requests(other) == {17}


def test_a_server_started_by_a_worker_is_a_group_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(STARTS_ANOTHER.format(port=port, app=APPS["flask"]))
    with gunicorn("gunicorn-sync", tmp_path, "-c", str(config), workers=2) as server:
        inner = Server(server.process, port, server.log)
        wait_until(lambda: answers(inner), 20, "the other server", details=server.log.read_text)
        server.work(40)
        inner.work(9)
        server.wait_for_requests(40)
        inner.wait_for_requests(9)
        assert requests(server) == {40}
        assert requests(inner) == {9}


def answers(server: Server) -> bool:
    """Whether it answers yet."""
    try:
        return server.get("/metrics")[0] == 200
    except OSError:
        return False
