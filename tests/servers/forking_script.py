"""A program that configures the library and forks a child for each job.

``python forking_script.py KIND``: with "jobs", the children count and the parent never does; with "parent",
the parent counts and forks; with "observable", it has nothing but an observable instrument, and forks.
It reads the number of forks and the pause between two of them from standard input, and ends with it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import configure

meter = configure().meter("script")


def observe(options: CallbackOptions) -> Iterable[Observation]:
    yield Observation(time.time())


def main(kind: str) -> None:
    """Fork as often as the input says."""
    if kind == "observable":
        meter.create_observable_gauge("now", [observe])
        configure().start()
    jobs = meter.create_counter("jobs")
    for line in sys.stdin:
        times, pause = line.split()
        for _ in range(int(times)):
            if kind == "parent":
                jobs.add(1)
            pid = os.fork()
            if pid == 0:
                if kind == "jobs":
                    jobs.add(1)
                os._exit(0)
            os.waitpid(pid, 0)
            time.sleep(float(pause))
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
