"""Real servers for tests: started on a free port, asked over real sockets, killed with all their children."""

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
    "traced": "tests.servers.traced_app:app",
}
GUNICORN = {
    "gunicorn-sync": ("flask", ["-k", "sync"]),
    "gunicorn-gthread": ("flask", ["-k", "gthread", "--threads", "4"]),
    "gunicorn-asgi": ("asgi", ["-k", "asgi"]),
    "gunicorn-uvicorn": ("asgi", ["-k", "uvicorn.workers.UvicornWorker"]),
}
"""The kinds of gunicorn's workers, each with the app that it serves and its arguments."""

SPECIAL_APPS = {
    f"gunicorn-{app}": (app, ["-k", "gthread", "--threads", "2"])
    for app in ("bridged", "foreign", "kinto", "instrumented", "traced")
}
"""gunicorn with an app that has more than our own metrics."""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Server:
    """A server process with its workers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def get(self, path: str, timeout: float = 10) -> tuple[int, bytes]:
        """Send a request on a new connection, so that any worker may answer. Returns status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def work(self, times: int) -> dict[int, int]:
        """Send requests one after the other. Returns how many each worker answered."""
        answered: dict[int, int] = {}
        for number in range(times):
            status, body = self.get(f"/work/{number}")
            assert status == 200, body
            answered[int(body)] = answered.get(int(body), 0) + 1
        return answered

    def work_until_several_answer(self, times: int) -> Counter[int]:
        """Send requests as `work` does, and more until several workers have answered."""
        answered = Counter(self.work(times))
        while len(answered) < 2:
            assert answered.total() < 10_000, "only one worker serves"
            answered.update(self.work(50))
        return answered

    def work_until_all_answer(self, times: int) -> Counter[int]:
        """Send requests as `work` does, and more until every worker has answered, so that all are ready.

        With some servers, gunicorn's asgi workers among them, a worker that is told to end while it starts
        ignores that, and the server waits for it, whatever app it serves.
        """
        answered = Counter(self.work(times))
        while not self.workers() <= answered.keys():
            assert answered.total() < 10_000, "a worker does not serve"
            answered.update(self.work(20))
        return answered

    def page(self) -> Samples:
        """Scrape one worker. Returns the samples of the page by name and labels."""
        status, body = self.get("/metrics")
        assert status == 200, body
        return samples(body)

    def request_totals(self) -> set[float]:
        """Scrape 12 times, so that several workers answer. Returns the totals of requests on their pages."""
        return {total(self.page(), "http_requests_total") for _ in range(12)}

    def wait_for_requests(self, requests: float) -> Samples:
        """Return the page once it shows so many requests: the last are counted just after their answers."""
        wait_until(
            lambda: total(self.page(), "http_requests_total") == requests,
            10,
            f"{requests} requests",
            details=self.page,
        )
        return self.page()

    def is_up(self) -> bool:
        """Whether the server answers at the metrics path, with the page or a refusal."""
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log.read_text()}")
        try:
            return self.get("/metrics", timeout=2)[0] in (200, 401, 404)
        except OSError:
            return False

    def workers(self) -> set[int]:
        """The pids of the server's workers: its children without multiprocessing's resource tracker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(pid) for pid in children if b"resource_tracker" not in _command(int(pid))}

    def kill_worker(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Send a worker the signal, and wait until another one has taken its place."""
        before = self.workers()
        os.kill(pid, number)
        wait_until(
            lambda: pid not in (now := self.workers()) and now - before,
            20,
            "a new worker",
            details=self.log.read_text,
        )

    def stop(self, number: int = signal.SIGTERM, timeout: float = 15) -> float:
        """Send the signal and wait for the server to end. Returns the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout)
        return time.monotonic() - started


def samples(page: bytes) -> Samples:
    """Return the samples of a page by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    expected = set(labels.items())
    return sum(value for (key, pairs), value in samples.items() if key == name and expected <= set(pairs))


@contextlib.contextmanager
def gunicorn(
    kind: str, tmp_path: Path, *options: str, workers: int = 4, before: Sequence[str] = (), **env: str
) -> Iterator[Server]:
    """Run gunicorn of a kind in `GUNICORN` or `SPECIAL_APPS`; ``before`` is a command that starts it."""
    app, arguments = {**GUNICORN, **SPECIAL_APPS}[kind]
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
        wait_until(lambda: len(server.workers()) == workers, 20, "all workers to start")
        yield server


@contextlib.contextmanager
def uvicorn(tmp_path: Path, *options: str, workers: int = 4, **env: str) -> Iterator[Server]:
    """Run uvicorn, with several workers or as one process."""
    port = free_port()
    several = ["--workers", str(workers)] if workers > 1 else []
    command = ["uvicorn", "--port", str(port), *several, *options, APPS["asgi"]]
    with run_server(command, port, tmp_path, env) as server:
        yield server


@contextlib.contextmanager
def run_server(command: list[str], port: int, tmp_path: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """Run a server of this Python environment until the end of the block, with more environment variables."""
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
        wait_until(server.is_up, 30, f"{command[0]} to answer", details=log.read_text)
        yield server
    finally:
        _kill_session(process)


def _program(module: str) -> list[str]:
    """How to start a server: gunicorn by its script, others as a module.

    gunicorn's upgrade runs ``sys.argv[0]`` again. With ``-m`` that is a file in the folder of gunicorn's own
    modules, which would then hide modules of the standard library.
    """
    if module in ("gunicorn", "opentelemetry-instrument", "dualmetrics"):
        return [sys.executable, str(Path(sysconfig.get_path("scripts")) / module)]
    return [sys.executable, "-m", module]


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill the server's whole session, whatever state it is in."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"resource_tracker"  # it has ended in the meantime
