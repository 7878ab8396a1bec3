"""Programs that serve no requests, and show their page on a port of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.ports import free_port
from tests.servers.server import Server
from tests.waiting import wait_until


@contextlib.contextmanager
def worker(command: list[str], tmp_path: Path, **env: str) -> Iterator[Server]:
    """Run a module, and wait for its page. At the end, all processes of its group are killed."""
    port, log = free_port(), tmp_path / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **env, "PROMETHEUS_PORT": str(port), "PROMETHEUS_HOST": "127.0.0.1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Server(process, port, log)
        wait_until(server.is_up, 30, "the page of an idle worker", details=log.read_text)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
