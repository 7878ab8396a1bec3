"""What the push campaign watches: servers and programs whose processes fork, with work that can be paused."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dualmetrics.cli.otlp_receiver import Receiver
from tests.ports import free_port
from tests.servers.pushes import push_settings
from tests.servers.server import Server, run_server

INTERVAL = 2.0
"""The interval of the pushes, in seconds."""

WORKERS = 4
_JOB_SECONDS = 1.0  # the time in which a job that has begun is done


class Subject(Protocol):
    """A running server with its work."""

    server: Server

    def resume(self) -> None: ...

    def pause(self) -> int:
        """End the work. Returns how much was certainly done since the start."""
        ...


class Requests(threading.Thread):
    """A client that asks a server for work and for forks, some 40 times a second."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self._answered = 0
        self._go, self._busy = threading.Event(), threading.Lock()

    def run(self) -> None:
        """Send requests. The thread ends with this process."""
        while self._go.wait():
            time.sleep(0.02)
            with self._busy, contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                self._send()

    def _send(self) -> None:
        path = "/fork" if self._answered % 5 == 0 else "/work/1"
        if self._go.is_set() and self.server.get(path)[0] == 200:
            self._answered += 1

    def resume(self) -> None:
        self._go.set()

    def pause(self) -> int:
        self._go.clear()
        with self._busy:
            return self._answered


class Jobs:
    """A program whose workers fork a child for each job."""

    def __init__(self, server: Server, flag: Path) -> None:
        self.server = server
        self._flag = flag

    def resume(self) -> None:
        self._flag.touch()

    def pause(self) -> int:
        self._flag.unlink()
        time.sleep(_JOB_SECONDS)
        return Path(f"{self._flag}.done").stat().st_size


@contextlib.contextmanager
def _recycled(receiver: Receiver, folder: Path, *options: str) -> Iterator[Subject]:
    port = free_port()
    command = ["gunicorn", "-b", f"127.0.0.1:{port}", "--workers", str(WORKERS), "-k", "gthread"]
    command += ["--threads", "2", "--max-requests", "50", "--max-requests-jitter", "20", *options]
    settings = push_settings(receiver, interval=int(1000 * INTERVAL))
    with run_server([*command, "tests.chaos.forking_app:app"], port, folder, settings) as server:
        requests = Requests(server)
        requests.start()
        yield requests
        requests.pause()


@contextlib.contextmanager
def _preloaded(receiver: Receiver, folder: Path) -> Iterator[Subject]:
    with _recycled(receiver, folder, "--preload") as subject:
        yield subject


@contextlib.contextmanager
def _job_workers(receiver: Receiver, folder: Path) -> Iterator[Subject]:
    port, flag = free_port(), folder / "go"
    settings = {**push_settings(receiver, interval=int(1000 * INTERVAL)), "PROMETHEUS_PORT": str(port)}
    command = ["tests.chaos.forking_workers", str(WORKERS), str(flag)]
    with run_server(command, port, folder, settings) as server:
        yield Jobs(server, flag)


SUBJECTS = {
    "gunicorn, recycled, forks in handlers": _recycled,
    "gunicorn --preload, recycled, forks in handlers": _preloaded,
    "workers that fork a child for each job": _job_workers,
}
