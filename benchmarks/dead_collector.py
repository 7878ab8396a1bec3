"""What a dead Collector costs the app: ``python -m benchmarks.dead_collector``.

First the latency of requests, in batches that take turns: a process without a push, and one for each
protocol whose pushes fail ten times a second. Then what these hold after thousands of failed pushes, one
right after the other. The Collector is a port where nobody listens.
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

NOBODY = "none"
PROTOCOLS = (NOBODY, "http/protobuf", "grpc")


class Pushing:
    """An app in this process; its pushes fail, unless the protocol is ``none``."""

    def __init__(self, protocol: str, endpoint: str) -> None:
        from dualmetrics import Telemetry
        from dualmetrics.wsgi import MetricsMiddleware

        push = {"protocol": protocol, "endpoint": endpoint, "export_interval": 100, "timeout": 0.5}
        settings: dict[str, Any] = {"metrics_exporter": "prometheus"} if protocol == NOBODY else push
        self._telemetry = Telemetry(**settings)
        self._app: Any = MetricsMiddleware(_hello, telemetry=self._telemetry)

    def serve(self, times: int) -> str:
        """Median and 99th percentile of so many requests, in microseconds."""
        taken = sorted(self._request() for _ in range(times))
        cuts = quantiles(taken, n=100)
        return f"{cuts[49] * 1e6} {cuts[98] * 1e6}"

    def push(self, times: int) -> str:
        """So many failed pushes; then the resident bytes, the threads and the descriptors."""
        for _ in range(times):
            assert not self._telemetry.force_flush(10)
        with open("/proc/self/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        return f"{resident} {len(os.listdir('/proc/self/task'))} {len(os.listdir('/proc/self/fd'))}"

    def _request(self) -> float:
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        began = perf_counter()
        body = self._app(environ, _start_response)
        for _ in body:
            pass
        body.close()
        return perf_counter() - began


def _hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def _start_response(status: str, headers: Any, error: Any = None) -> None:
    assert status == "200 OK"


class Runner:
    """A process with such an app."""

    def __init__(self, protocol: str, endpoint: str) -> None:
        command = [sys.executable, "-m", "benchmarks.dead_collector", "--child", protocol, endpoint]
        self.protocol = protocol
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, what: str, times: int) -> list[float]:
        """Have it do something so many times."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what} {times}\n")
        self._process.stdin.flush()
        return [float(number) for number in self._process.stdout.readline().split()]

    def stop(self) -> None:
        """End the process: its input ends."""
        self._process.communicate()


def child(protocol: str, endpoint: str) -> None:
    """Do what is asked for until the input ends."""
    pushing = Pushing(protocol, endpoint)
    for line in sys.stdin:
        what, times = line.split()
        print({"serve": pushing.serve, "push": pushing.push}[what](int(times)), flush=True)


@contextlib.contextmanager
def runners() -> Iterator[list[Runner]]:
    """A process for each protocol, and the dead Collector: a port that is bound, where nobody listens."""
    with socket.socket() as bound, contextlib.ExitStack() as stack:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        started = [Runner(protocol, endpoint) for protocol in PROTOCOLS]
        for each in started:
            stack.callback(each.stop)
        yield started


def latency(running: list[Runner], batches: int, requests: int) -> None:
    """Print what a request takes, of batches in turn."""
    for each in running:
        each.ask("serve", requests)
    rounds = [[each.ask("serve", requests) for each in running] for _ in range(batches)]
    print(f"{'pushes that fail':<20}{'p50 us':>10}{'p99 us':>10}   (medians of {batches} batches)")
    for number, each in enumerate(running):
        p50, p99 = (median(batch[number][which] for batch in rounds) for which in (0, 1))
        print(f"{each.protocol:<20}{p50:>10.1f}{p99:>10.1f}")


def growth(running: list[Runner], pushes: int) -> None:
    """Print what the processes hold, after each tenth of the pushes."""
    print(f"\n{'protocol':<20}{'failed pushes':>15}{'RSS MB':>10}{'threads':>10}{'descriptors':>13}")
    for each in (runner for runner in running if runner.protocol != NOBODY):
        for tenth in range(1, 11):
            resident, threads, descriptors = each.ask("push", pushes // 10)
            done = tenth * (pushes // 10)
            print(f"{each.protocol:<20}{done:>15}{resident / 1e6:>10.1f}{threads:>10.0f}{descriptors:>13.0f}")


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--requests", type=int, default=50_000, help="requests a batch")
    parser.add_argument("--pushes", type=int, default=10_000)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(*options.child)
    with runners() as running:
        latency(running, options.batches, options.requests)
        growth(running, options.pushes)


if __name__ == "__main__":
    main()
