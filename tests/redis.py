"""A real Redis for tests of task queues, on a free port and without files."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests import peers
from tests.ports import free_port
from tests.waiting import wait_until


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[int]:
    """Run Redis until the end of the block. Yields its port. The test is skipped where Redis is missing."""
    program, variables = peers.redis_server()
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
        executable=program,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(port), 20, "Redis")
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(5) == b"+PONG"
    return False
