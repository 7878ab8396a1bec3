"""Run as a program: prints the root that each of its processes finds, and its own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

from dualmetrics.workers.discovery import find_root


def root() -> int:
    """The pid of the root that this process finds."""
    found = find_root()
    assert found is not None
    return found.pid


def put(queue: multiprocessing.Queue[int]) -> None:
    """Send this process' root to the parent."""
    queue.put(root())


def by_multiprocessing(method: str) -> int:
    """The root that a child finds which multiprocessing started."""
    multiprocessing.set_start_method(method)
    queue: multiprocessing.Queue[int] = multiprocessing.Queue()
    child = multiprocessing.Process(target=put, args=(queue,))
    child.start()
    found = queue.get(timeout=30)
    child.join()
    return found


def by_pool() -> int:
    """The root that a process of a pool finds."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(root).result(30)


def by_fork() -> int:
    """The root that a grandchild by fork finds."""
    read, write = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.write(write, str(root()).encode())
            os._exit(0)
        os.wait()
        os._exit(0)
    os.wait()
    return int(os.read(read, 100))


def by_program() -> int:
    """The root that another program finds which this one started: its own pid."""
    code = (
        "import os; from dualmetrics.workers.discovery import find_root; "
        "print(int(find_root().pid == os.getpid()))"
    )
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


WAYS = {
    "fork": lambda: by_multiprocessing("fork"),
    "spawn": lambda: by_multiprocessing("spawn"),
    "forkserver": lambda: by_multiprocessing("forkserver"),
    "pool": by_pool,
    "os.fork": by_fork,
    "program": by_program,
}

if __name__ == "__main__":
    # One write: an unbuffered print() is several, which two programs may mix.
    sys.stdout.write(f"{os.getpid()} {WAYS[sys.argv[1]]()}\n")
