"""A program that starts a process, and prints its own pid and the root that this process finds."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

from dualmetrics.workers.discovery import find_root


def root() -> int:
    """The pid of the root that this process finds."""
    group_root = find_root()
    assert group_root is not None
    return group_root.pid


def put(queue: multiprocessing.Queue[int]) -> None:
    """Send the root of this process to the parent."""
    queue.put(root())


def by_multiprocessing(method: str) -> int:
    """The root that a child started by multiprocessing finds."""
    multiprocessing.set_start_method(method)
    queue: multiprocessing.Queue[int] = multiprocessing.Queue()
    child = multiprocessing.Process(target=put, args=(queue,))
    child.start()
    child_root = queue.get(timeout=30)
    child.join()
    return child_root


def by_pool() -> int:
    """The root that a process in a pool finds."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(root).result(30)


def by_fork() -> int:
    """The root that a forked grandchild finds."""
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
    """1 if a program started by this one finds its own pid as the root."""
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
    # One write: an unbuffered print() makes several, and those of two programs may mix.
    sys.stdout.write(f"{os.getpid()} {WAYS[sys.argv[1]]()}\n")
