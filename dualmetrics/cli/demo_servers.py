"""Runs the example apps on real servers: child processes that end with the demo."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import psutil
from prometheus_client.parser import text_string_to_metric_families

from dualmetrics.cli.samples import Sample, Samples, make_sample, without_scope_labels

PACKAGE = Path(__file__).parent
WORKERS = 2


class DemoError(Exception):
    """The demo cannot show what it promises. The message is a sentence for the user."""


class ExampleApp(NamedTuple):
    """An example and its server. ``{port}`` and ``{examples}`` in the arguments are filled in."""

    name: str
    server: str
    arguments: str


FLASK = ExampleApp(
    "flask",
    "gunicorn",
    f"-w {WORKERS} -b 127.0.0.1:{{port}} --log-level error --chdir {{examples}} flask_app:app",
)
FASTAPI = ExampleApp(
    "fastapi",
    "uvicorn",
    f"--workers {WORKERS} --port {{port}} --log-level critical --app-dir {{examples}} fastapi_app:app",
)


def examples_folder() -> Path:
    """Return the folder of the examples: inside the installed package, or next to it in a checkout."""
    installed = PACKAGE / "examples"
    return installed if installed.is_dir() else PACKAGE.parent.parent / "examples"


class DemoServer:
    """A running server with several workers."""

    def __init__(self, app: ExampleApp, process: subprocess.Popen[bytes], port: int) -> None:
        self.app = app
        self.process = process
        self._log = LogTail(process)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def request_status(self, method: str, path: str) -> int:
        """Send one request on a connection of its own, and return the status of the answer.

        Raises OSError if there is no answer.
        """
        return self._send(method, path)[0]

    def page(self) -> Samples:
        """Return the samples of the metrics page."""
        _, body = self._send("GET", "/metrics")
        families = text_string_to_metric_families(body.decode())
        return {
            Sample(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    def count_pushes(self, result: str) -> int:
        """Return how many pushes had the result "success" or "failure"."""
        pushes = make_sample("dualmetrics_exports_total", result=result)
        return int(without_scope_labels(self.page()).get(pushes, 0))

    def last_log_line(self) -> str:
        """Return the last line that dualmetrics has logged, or else the last line of all."""
        return self._log.ours or self._log.last

    def worker_pids(self) -> set[int]:
        """Return the pids of the workers, without the resource tracker of multiprocessing."""
        pids: set[int] = set()
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if not any("resource_tracker" in word for word in child.cmdline()):
                    pids.add(child.pid)
        return pids

    def kill_worker(self) -> int:
        """Kill one worker with SIGKILL, wait for its successor, and return the pid of the killed one."""
        pid = min(self.worker_pids())
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self._has_workers(without=pid) and self._answers(), 30, "a new worker")
        return pid

    def wait_until_ready(self) -> None:
        """Wait until all workers run and the server answers.

        Raises `DemoError` if the server ended, and TimeoutError if it takes longer than a minute.
        """
        wait_for(lambda: self._has_workers() and self._answers(), 60, f"{self.app.server} to start")

    def _has_workers(self, without: int | None = None) -> bool:
        return len(self.worker_pids() - {without}) == WORKERS

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            self._log.join()
            status = self.process.returncode
            raise DemoError(f"{self.app.server} ended with status {status}. {self.last_log_line()}".rstrip())
        try:
            return self.request_status("GET", "/metrics") == 200
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


class LogTail:
    """Reads what a process writes, and keeps its last line, and the last one of dualmetrics."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.last = ""
        self.ours = ""
        self._thread = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until everything was read, at most a second: a process that lives may hold the pipe open."""
        self._thread.join(1)

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = line.decode(errors="replace").strip()
                self.last = text or self.last
                self.ours = text if text.startswith("dualmetrics:") else self.ours


@contextlib.contextmanager
def run_server(app: ExampleApp, environment: Mapping[str, str]) -> Iterator[DemoServer]:
    """Run an app with these variables during the block, and stop its whole process group afterwards."""
    port = free_port()
    folder = examples_folder()
    arguments = [word.format(port=port, examples=folder) for word in app.arguments.split()]
    process = subprocess.Popen(  # noqa: S603  # our own examples, no shell
        [sys.executable, "-m", app.server, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C in the terminal must reach the demo only, which stops its servers
    )
    try:
        yield DemoServer(app, process, port)
    finally:
        stop_process(process)


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and after at most ten seconds kill its whole process group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition: Callable[[], bool], timeout: float, description: str) -> None:
    """Wait until ``condition()`` is true. Raises TimeoutError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {timeout:g} s of waiting for {description}")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port of the loopback interface that is not in use."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
