"""``python -m benchmarks.dead_collector``: what a Collector costs the app that does not answer.

The first table is the latency of requests, in a process that does not push and in one per protocol whose
pushes fail ten times a second. The processes run their batches in turn. The second table is what the
processes hold after thousands of failed pushes, one right after the other. The Collector is a port where
nobody listens.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from statistics import median, quantiles
from time import perf_counter
from typing import Any
from wsgiref.util import setup_testing_defaults

NO_PUSH = "none"
PROTOCOLS = (NO_PUSH, "http/protobuf", "grpc")


class PushingApp:
    """An app in this process whose pushes fail, unless the protocol is ``none``."""

    def __init__(self, protocol: str, endpoint: str) -> None:
        from dualmetrics import Telemetry
        from dualmetrics.wsgi import MetricsMiddleware

        push = {"protocol": protocol, "endpoint": endpoint, "export_interval": 100, "timeout": 0.5}
        settings: dict[str, Any] = {"metrics_exporter": "prometheus"} if protocol == NO_PUSH else push
        self._telemetry = Telemetry(**settings)
        self._app: Any = MetricsMiddleware(_hello, telemetry=self._telemetry)

    def serve(self, times: int) -> str:
        """Serve requests; returns the median and the 99th percentile in microseconds."""
        percentiles = quantiles(sorted(self._request() for _ in range(times)), n=100)
        return f"{percentiles[49] * 1e6} {percentiles[98] * 1e6}"

    def push(self, times: int) -> str:
        """Let pushes fail; returns the resident bytes, the threads and the descriptors of the process."""
        for _ in range(times):
            assert not self._telemetry.force_flush(10)
        with open("/proc/self/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        return f"{resident} {len(os.listdir('/proc/self/task'))} {len(os.listdir('/proc/self/fd'))}"

    def _request(self) -> float:
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        started = perf_counter()
        body = self._app(environ, _start_response)
        for _ in body:
            pass
        body.close()
        return perf_counter() - started


def _hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def _start_response(status: str, headers: Any, error: Any = None) -> None:
    assert status == "200 OK"


class PushingProcess:
    """A process with a `PushingApp`."""

    def __init__(self, protocol: str, endpoint: str) -> None:
        command = [sys.executable, "-m", "benchmarks.dead_collector", "--child", protocol, endpoint]
        self.protocol = protocol
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def call(self, method: str, times: int) -> list[float]:
        """Call a method of the app, and return its numbers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{method} {times}\n")
        self._process.stdin.flush()
        return [float(number) for number in self._process.stdout.readline().split()]

    def stop(self) -> None:
        """Close the input, which ends the process."""
        self._process.communicate()


def run_child(protocol: str, endpoint: str) -> None:
    """Call the methods that the input names, until it ends."""
    app = PushingApp(protocol, endpoint)
    for line in sys.stdin:
        method, times = line.split()
        print({"serve": app.serve, "push": app.push}[method](int(times)), flush=True)


@contextlib.contextmanager
def pushing_processes() -> Iterator[list[PushingProcess]]:
    """Run a process per protocol. The Collector is a port that is bound, but where nobody listens."""
    with socket.socket() as bound, contextlib.ExitStack() as stack:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        processes = [PushingProcess(protocol, endpoint) for protocol in PROTOCOLS]
        for process in processes:
            stack.callback(process.stop)
        yield processes


def print_latency(processes: list[PushingProcess], batches: int, requests: int) -> None:
    """Print how long a request takes, as medians of batches in turn."""
    for process in processes:
        process.call("serve", requests)  # warms up
    rounds = [[process.call("serve", requests) for process in processes] for _ in range(batches)]
    print(f"{'failing pushes':<20}{'p50 us':>10}{'p99 us':>10}   (medians of {batches} batches)")
    for number, process in enumerate(processes):
        p50, p99 = (median(batch[number][column] for batch in rounds) for column in (0, 1))
        print(f"{process.protocol:<20}{p50:>10.1f}{p99:>10.1f}")


def print_growth(processes: list[PushingProcess], pushes: int) -> None:
    """Print what the processes hold after each tenth of the pushes."""
    print(f"\n{'protocol':<20}{'failed pushes':>15}{'RSS MB':>10}{'threads':>10}{'descriptors':>13}")
    for process in (process for process in processes if process.protocol != NO_PUSH):
        for tenth in range(1, 11):
            resident, threads, descriptors = process.call("push", pushes // 10)
            done = tenth * (pushes // 10)
            print(
                f"{process.protocol:<20}{done:>15}{resident / 1e6:>10.1f}{threads:>10.0f}{descriptors:>13.0f}"
            )


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--requests", type=int, default=50_000, help="requests per batch")
    parser.add_argument("--pushes", type=int, default=10_000)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return run_child(*options.child)
    with pushing_processes() as processes:
        print_latency(processes, options.batches, options.requests)
        print_growth(processes, options.pushes)


if __name__ == "__main__":
    main()
