"""Requests per second of a real server, measured with wrk."""

from __future__ import annotations

import atexit
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.request import urlopen

import psutil

from benchmarks.app_factories import APP_VARIABLE
from benchmarks.apps import path
from benchmarks.question import Contestant, Measure, Values

START_TIMEOUT = 30.0
"""Seconds until a server must answer."""

PER_SECOND = "per second"

PER_CPU_SECOND = "per CPU second of the server"
"""The steadier of the two where the machine does other work too."""

Command = Callable[[int], Sequence[str]]
"""The command line of a server for a port."""


def server_contestant(name: str, app: str, command: Command, *packages: str) -> Contestant:
    """Serves ``app`` (see `benchmarks.app_factories`). A repetition is a second of requests from wrk."""

    def make(case: int) -> Measure:
        port = _free_port()
        environment = {**os.environ, APP_VARIABLE: app}
        server = subprocess.Popen([sys.executable, "-m", *command(port)], env=environment)
        atexit.register(_stop, server)
        _pin_to_processor(server, 0)
        url = f"http://127.0.0.1:{port}{path()}"
        _wait_until_up(url, server)
        return lambda seconds: _measure(url, server, seconds)

    return Contestant(name, make, packages)


def _measure(url: str, server: subprocess.Popen[bytes], seconds: int) -> Values:
    before = _server_cpu_seconds(server)
    requests, rate = _run_wrk(url, seconds)
    return {PER_SECOND: rate, PER_CPU_SECOND: requests / (_server_cpu_seconds(server) - before)}


def _server_cpu_seconds(server: subprocess.Popen[bytes]) -> float:
    """The CPU time of the server and its workers."""
    main = psutil.Process(server.pid)
    times = [process.cpu_times() for process in (main, *main.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


def _run_wrk(url: str, seconds: int) -> tuple[int, float]:
    """The number of requests that wrk made, and the requests per second."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
        _pin_to_processor(wrk, 1)
        output, _ = wrk.communicate()
    requests = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    if requests is None or rate is None or "Non-2xx" in output:
        raise RuntimeError(f"wrk printed: {output}")
    return int(requests[1]), float(rate[1])


def _pin_to_processor(process: subprocess.Popen[Any], number: int) -> None:
    """Give a new process a processor of its own, so that server and wrk do not share one."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {processors[number % len(processors)]})


def _wait_until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            with urlopen(url, timeout=5) as response:
                response.read()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
