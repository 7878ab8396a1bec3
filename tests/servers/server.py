"""Real servers for tests: started on a free port, asked over real sockets, ended with all their children."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port
from tests.waiting import wait_until

APPS = {
    "flask": "tests.servers.flask_app:app",
    "asgi": "tests.servers.asgi_app:app",
    "bridged": "tests.servers.bridged_app:app",
    "foreign": "tests.servers.foreign_app:app",
    "kinto": "tests.servers.kinto_app:app",
    "instrumented": "tests.servers.instrumented_app:app",
}
GUNICORN = {
    "gunicorn-sync": ("flask", ["-k", "sync"]),
    "gunicorn-gthread": ("flask", ["-k", "gthread", "--threads", "4"]),
    "gunicorn-asgi": ("asgi", ["-k", "asgi"]),
    "gunicorn-uvicorn": ("asgi", ["-k", "uvicorn.workers.UvicornWorker"]),
}
BRIDGED = {
    f"gunicorn-{app}": (app, ["-k", "gthread", "--threads", "2"])
    for app in ("bridged", "foreign", "kinto", "instrumented")
}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Server:
    """A server process with its workers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def get(self, path: str, timeout: float = 10) -> tuple[int, bytes]:
        """Ask on a connection of its own, so that any worker may answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def work(self, times: int) -> dict[int, int]:
        """Send requests one after the other; how many each worker answered."""
        answered: dict[int, int] = {}
        for number in range(times):
            status, body = self.get(f"/work/{number}")
            assert status == 200, body
            answered[int(body)] = answered.get(int(body), 0) + 1
        return answered

    def work_until_several_answer(self, times: int) -> Counter[int]:
        """Send so many requests, and more until several workers have answered; how many each did."""
        answered = Counter(self.work(times))
        while len(answered) < 2:
            assert answered.total() < 10_000, "one worker alone serves"
            answered.update(self.work(50))
        return answered

    def page(self) -> Samples:
        """The samples of the page, by name and labels."""
        status, body = self.get("/metrics")
        assert status == 200, body
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def wait_for_requests(self, requests: float) -> Samples:
        """The page once it shows so many requests: the last are counted just after they were answered."""
        wait_until(
            lambda: total(self.page(), "http_requests_total") == requests,
            10,
            f"{requests} requests",
            details=self.page,
        )
        return self.page()

    def workers(self) -> set[int]:
        """The pids of the server's children that serve (multiprocessing's resource tracker does not)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(pid) for pid in children if b"resource_tracker" not in _command(int(pid))}

    def stop(self, number: int = signal.SIGTERM, timeout: float = 15) -> float:
        """Send the signal and wait for the end; how long that took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout)
        return time.monotonic() - started


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples of a name that carry these labels."""
    wanted = set(labels.items())
    return sum(value for (found, pairs), value in samples.items() if found == name and wanted <= set(pairs))


@contextlib.contextmanager
def gunicorn(
    kind: str, tmp_path: Path, *options: str, workers: int = 4, before: Sequence[str] = (), **env: str
) -> Iterator[Server]:
    """gunicorn with workers of a kind that `GUNICORN` lists, or `BRIDGED`; ``before`` starts it."""
    app, arguments = {**GUNICORN, **BRIDGED}[kind]
    port = free_port()
    command = [
        *(before or ["gunicorn"]),
        "-w",
        str(workers),
        "-b",
        f"127.0.0.1:{port}",
        *arguments,
        *options,
        APPS[app],
    ]
    with run_server(command, port, tmp_path, env) as server:
        wait_until(lambda: len(server.workers()) == workers, 20, "all workers to be there")
        yield server


@contextlib.contextmanager
def uvicorn(tmp_path: Path, *options: str, workers: int = 4, **env: str) -> Iterator[Server]:
    """uvicorn, with several workers or alone."""
    port = free_port()
    several = ["--workers", str(workers)] if workers > 1 else []
    command = ["uvicorn", "--port", str(port), *several, *options, APPS["asgi"]]
    with run_server(command, port, tmp_path, env) as server:
        yield server


@contextlib.contextmanager
def run_server(command: list[str], port: int, tmp_path: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """A command of this environment, until the end of the block."""
    log = tmp_path / f"{command[0]}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_program(command[0]), *command[1:]],
            env={**os.environ, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        wait_until(lambda: _answers(server), 30, f"{command[0]} to answer", details=log.read_text)
        yield server
    finally:
        _end(process)


def _program(module: str) -> list[str]:
    """How a server is started. gunicorn by its script: an upgrade starts anew what is in ``sys.argv[0]``, and
    the folder of a module's file there would hide modules of Python's."""
    if module in ("gunicorn", "opentelemetry-instrument"):
        return [sys.executable, str(Path(sysconfig.get_path("scripts")) / module)]
    return [sys.executable, "-m", module]


def _answers(server: Server) -> bool:
    if server.process.poll() is not None:
        raise AssertionError(f"the server ended: {server.log.read_text()}")
    try:
        return server.get("/metrics", timeout=2)[0] in (200, 401, 404)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole session, whatever state it is in."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"resource_tracker"  # gone meanwhile
