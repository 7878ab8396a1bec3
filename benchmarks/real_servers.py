"""Requests per second of a real server, as wrk counts them."""

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

from benchmarks.app_factories import APP
from benchmarks.apps import path
from benchmarks.question import Contestant, Measure, Values

PATIENCE = 30.0
"""Seconds for a server to answer."""

PER_SECOND = "a second"
PER_PROCESSOR_SECOND = "a second of the server's processor"
"""Where the machine has other things to do too, this is the steadier figure."""

Command = Callable[[int], Sequence[str]]
"""A server's command line for a port."""


def contestant(name: str, app: str, command: Command, *packages: str) -> Contestant:
    """Serves ``app`` (see `benchmarks.app_factories`) and is asked by wrk for so many seconds."""

    def make(case: int) -> Measure:
        port = _free_port()
        server = subprocess.Popen([sys.executable, "-m", *command(port)], env={**os.environ, APP: app})
        atexit.register(_end, server)
        _keep_to(server, 0)
        url = f"http://127.0.0.1:{port}{path()}"
        _await(url, server)
        return lambda seconds: _load(url, server, seconds)

    return Contestant(name, make, packages)


def _load(url: str, server: subprocess.Popen[bytes], seconds: int) -> Values:
    before = _processor(server)
    requests, rate = _ask(url, seconds)
    return {PER_SECOND: rate, PER_PROCESSOR_SECOND: requests / (_processor(server) - before)}


def _processor(server: subprocess.Popen[bytes]) -> float:
    """Seconds of the processor that the server and its workers took."""
    process = psutil.Process(server.pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _ask(url: str, seconds: int) -> tuple[int, float]:
    """How many requests wrk made, and how many a second."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
        _keep_to(wrk, 1)
        said, _ = wrk.communicate()
    requests, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if requests is None or rate is None or "Non-2xx" in said:
        raise RuntimeError(f"wrk said: {said}")
    return int(requests[1]), float(rate[1])


def _keep_to(process: subprocess.Popen[Any], place: int) -> None:
    """Give a process that has just started a processor of its own: server and wrk would take turns on one."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {processors[place % len(processors)]})


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(url, timeout=5) as response:
                response.read()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
