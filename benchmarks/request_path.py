"""What one request costs the processor: ``python -m benchmarks.request_path``.

Each contestant is a process of its own, and several one after the other, since where a process' memory lies
makes a difference. All are asked for batches in turn, in a new order each round, so that whatever else the
machine does meets all alike. What a contestant adds is its time less the bare app's; the ratio is that to
what the floor adds. Only ratios carry over to other machines.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from statistics import median

from benchmarks.contestants import CONTESTANTS, SINK, Contestant
from benchmarks.sink import sink

Times = dict[str, list[float]]
"""Microseconds a request, a value a batch, by the contestant's name."""


class Runner:
    """A contestant's process."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.driver", contestant.protocol, contestant.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def batch(self, requests: int) -> float:
        """Microseconds a request. Raises RuntimeError if the contestant's process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{requests}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.contestant.name} ({self.contestant.protocol}) ended early")
        return float(answer)

    def stop(self) -> None:
        """End the process: its input ends."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()


@contextlib.contextmanager
def started(contestants: Sequence[Contestant]) -> Iterator[list[Runner]]:
    """A process for each contestant until the end of the block."""
    with contextlib.ExitStack() as stack:
        runners = []
        for contestant in contestants:
            runners.append(Runner(contestant))
            stack.callback(runners[-1].stop)
        yield runners


def measure(protocol: str, processes: int, rounds: int, requests: int) -> Times:
    """The batches of all contestants of a protocol, over so many processes of each."""
    contestants = [each for each in CONTESTANTS if each.protocol == protocol]
    times: Times = {each.name: [] for each in contestants}
    for _ in range(processes):
        with started(contestants) as runners:
            interleave(runners, rounds, requests, times)
    return times


def interleave(runners: list[Runner], rounds: int, requests: int, times: Times) -> None:
    """Batches of each in turn, after one that warms up."""
    for runner in runners:
        runner.batch(requests)
    for _ in range(rounds):
        for runner in random.sample(runners, len(runners)):
            times[runner.contestant.name].append(runner.batch(requests))


def report(protocol: str, times: Times) -> float:
    """Print a line a contestant; how many times the floor's cost dualmetrics adds, by medians."""
    bare, least = median(times["bare"]), min(times["bare"])
    floor, least_floor = median(times["floor"]) - bare, min(times["floor"]) - least
    print(f"\n{protocol}: microseconds a request, median (minimum); what is added to bare; times the floor")
    for name, values in times.items():
        line = f"  {name:<16}{median(values):8.2f} ({min(values):.2f})"
        if name != "bare":
            added, least_added = median(values) - bare, min(values) - least
            line += f"   +{added:.2f} ({least_added:.2f})"
            line += f"   x{added / floor:.2f} ({least_added / least_floor:.2f})"
        print(line)
    return (median(times["dualmetrics"]) - bare) / floor


def versions() -> str:
    """What was measured, and on what."""
    names = dict.fromkeys(name for contestant in CONTESTANTS for name in contestant.packages)
    listed = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"{platform.python_implementation()} {platform.python_version()}; {listed}"


def main() -> int:
    """Measure and print. Exit status 1 if a limit was given and is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request_path", description=main.__doc__)
    parser.add_argument("--processes", type=int, default=5, help="of each contestant (default 5)")
    parser.add_argument("--rounds", type=int, default=10, help="batches a process (default 10)")
    parser.add_argument("--requests", type=int, default=3000, help="requests a batch (default 3000)")
    parser.add_argument("--limit", type=float, help="most times the floor's cost that are allowed")
    options = parser.parse_args()
    print(versions())
    ratios = {}
    with sink() as address:
        os.environ[SINK] = address
        for protocol in ("asgi", "wsgi"):
            measured = measure(protocol, options.processes, options.rounds, options.requests)
            ratios[protocol] = report(protocol, measured)
    print()
    for protocol, ratio in ratios.items():
        print(f"{protocol}: dualmetrics adds {ratio:.2f} times what the floor adds (both exports on)")
    return int(options.limit is not None and max(ratios.values()) > options.limit)


if __name__ == "__main__":
    sys.exit(main())
