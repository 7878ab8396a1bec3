"""Run as a program: children of multiprocessing record and end in every way; prints the parent's total."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext

from dualmetrics import configure

EACH = 100
WAYS = ("normal", "exit", "kill") * 2
EXPECTED = EACH * len(WAYS) + 4 * EACH + 5


def record(times: int = EACH) -> None:
    """Record in this process."""
    jobs = configure().meter("crew").create_counter("jobs")
    for _ in range(times):
        jobs.add(1)


def child(way: str) -> None:
    """Record, and end in some way."""
    record()
    if way == "exit":
        os._exit(0)
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def run_children(context: BaseContext) -> None:
    """Processes, and the two kinds of pools."""
    children = [context.Process(target=child, args=(way,)) for way in WAYS]  # type: ignore[attr-defined]
    for process in children:
        process.start()
    for process in children:
        process.join()
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        list(executor.map(record, [EACH, EACH]))
    with context.Pool(2) as pool:
        pool.map(record, [EACH, EACH])


def main(method: str, parent: str) -> None:
    """``parent`` says whether the parent records before or after its children, or never."""
    if parent == "before":
        record(5)
    run_children(multiprocessing.get_context(method))
    if parent == "after":
        record(5)
    families = configure().snapshot().families
    jobs = [family.points[0].cells[0] for family in families if family.descriptor.name == "jobs"]
    sys.stdout.write(f"{int(jobs[0])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
