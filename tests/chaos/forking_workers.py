"""A parent that configures the library and keeps WORKERS children, each of which forks a child per job.

``python -m tests.chaos.forking_workers WORKERS FLAG``: jobs are made while the file FLAG exists. The child
of each job counts it, writes one byte to the file FLAG.done, and ends by `os._exit`. This is how RQ works.
The page is on PROMETHEUS_PORT.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from dualmetrics import configure

jobs = configure().meter("workers").create_counter("jobs")


def _job(done: int) -> None:
    pid = os.fork()
    if pid == 0:
        jobs.add(1)
        os.write(done, b".")
        os._exit(0)
    os.waitpid(pid, 0)


def _work(flag: Path) -> None:
    done = os.open(f"{flag}.done", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        if flag.exists():
            _job(done)
        time.sleep(0.05)


def main(workers: int, flag: Path) -> None:
    """Keep so many workers, whatever kills them."""
    alive = 0
    while True:
        while alive < workers:
            if os.fork() == 0:
                _work(flag)
            alive += 1
        os.wait()
        alive -= 1


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
