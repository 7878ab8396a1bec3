"""Hosts that restrict what a server may write and see: its workers are one group all the same."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers.server import APPS, run_server, total

pytestmark = pytest.mark.server

READ_ONLY_ROOT = """
set -e
mount --bind / / && mount -o remount,ro,bind /
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for directory in /tmp /var/tmp
do mount --bind $directory $directory && mount -o remount,ro,bind $directory
done
cd /
exec "$@"
"""

HIDEPID = """
set -e
mount -t proc -o hidepid=2 proc /proc
exec "$@"
"""

SHELLS = {
    "read-only root": ["unshare", "--mount", "sh", "-c", READ_ONLY_ROOT, "sh"],
    "hidepid": ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", HIDEPID, "sh"],
}

WORKERS_OF_ANOTHER_USER = """
import os
from dualmetrics.workers.discovery import find_root, parse_root
pids = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        root = find_root()
        print(root.name, root.is_alive, parse_root(root.name) == root, flush=True)
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
"""


def shell(kind: str) -> list[str]:
    """The command that runs another one on such a host. Skips the test if this user may not do that."""
    with contextlib.suppress(OSError):
        if subprocess.run([*SHELLS[kind], "true"], check=False, capture_output=True).returncode == 0:
            return SHELLS[kind]
    pytest.skip(f"NOT TESTED: {kind}: this user may not mount (to get it: run the tests as root)")


def test_a_read_only_root_with_shared_memory_is_enough(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--workers", "2", APPS["asgi"]]
    env = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    wrapped = ["tests.servers.shell", *shell("read-only root"), *command]
    with run_server(wrapped, port, tmp_path, env) as server:
        requests = server.work_until_several_answer(60).total()
        server.wait_for_requests(requests)
        assert server.request_totals() == {requests}
        assert total(server.page(), "dualmetrics_workers") == 2
        assert "no worker group" not in server.log.read_text()


def test_workers_of_another_user_find_one_group_although_their_master_is_hidden() -> None:
    command = [*shell("hidepid"), sys.executable, "-c", WORKERS_OF_ANOTHER_USER]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split("\n")
    assert found[0] == found[1]
    name, is_alive, is_parsed = found[0].split()
    assert name.startswith("1-0-")
    assert (is_alive, is_parsed) == ("True", "True")
