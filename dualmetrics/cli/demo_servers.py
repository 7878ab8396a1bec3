"""The example apps under real servers: child processes that do not outlive the demo."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
from prometheus_client.parser import text_string_to_metric_families

from dualmetrics.cli.samples import Sample, Samples

PACKAGE = Path(__file__).parent
WORKERS = 2


class App(NamedTuple):
    """An example and the server that it runs on; ``{port}`` and ``{examples}`` are filled in."""

    name: str
    server: str
    arguments: tuple[str, ...]


FLASK = App(
    "flask",
    "gunicorn",
    (
        "-w",
        str(WORKERS),
        "-b",
        "127.0.0.1:{port}",
        "--log-level",
        "error",
        "--chdir",
        "{examples}",
        "flask_app:app",
    ),
)
FASTAPI = App(
    "fastapi",
    "uvicorn",
    (
        "--workers",
        str(WORKERS),
        "--port",
        "{port}",
        "--log-level",
        "critical",
        "--app-dir",
        "{examples}",
        "fastapi_app:app",
    ),
)


def examples() -> Path:
    """The folder of the examples: inside the installed package, or beside it in a checkout."""
    inside = PACKAGE / "examples"
    return inside if inside.is_dir() else PACKAGE.parent.parent / "examples"


class DemoServer:
    """A running server: asked over its port, and killed by its workers' pids."""

    def __init__(self, app: App, process: subprocess.Popen[bytes], port: int) -> None:
        self.app = app
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str) -> int:
        """Send one request on a connection of its own; the status. Raises OSError if there is no answer."""
        return self._send(method, path)[0]

    def page(self) -> Samples:
        """The samples of the metrics page."""
        _, body = self._send("GET", "/metrics")
        families = text_string_to_metric_families(body.decode())
        return {
            Sample(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    def workers(self) -> set[int]:
        """The pids of the processes that serve; multiprocessing's resource tracker does not."""
        found: set[int] = set()
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if not any("resource_tracker" in word for word in child.cmdline()):
                    found.add(child.pid)
        return found

    def kill_one(self) -> int:
        """End one worker by SIGKILL and wait for its successor; the pid of the one that is gone."""
        before = self.workers()
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(self.workers() - {victim}) == WORKERS and self._answers(), 30, "a new worker")
        return victim

    def wait_until_it_answers(self) -> None:
        """Wait for the start. Raises RuntimeError if the server ended, TimeoutError if it is too slow."""
        wait_for(
            lambda: len(self.workers()) == WORKERS and self._answers(), 60, f"{self.app.server} to start"
        )

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.app.server} ended with status {self.process.returncode}")
        try:
            return self._send("GET", "/metrics")[0] == 200
        except OSError:
            return False

    def _send(self, method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextlib.contextmanager
def running(app: App, environment: Mapping[str, str]) -> Iterator[DemoServer]:
    """Run an app for the block, then end its whole process group."""
    port = free_port()
    arguments = [text.format(port=port, examples=examples()) for text in app.arguments]
    process = subprocess.Popen(  # noqa: S603  # our own examples, no shell
        [sys.executable, "-m", app.server, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal is for the demo, which ends its servers itself
    )
    try:
        yield DemoServer(app, process, port)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server in good order, and after ten seconds the hard way with all that it started."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait until ``condition()`` is true. Raises TimeoutError that names ``what`` was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}, in vain")
        time.sleep(0.05)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
