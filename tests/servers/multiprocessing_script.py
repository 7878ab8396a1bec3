"""A program whose children record and end in every way; prints the total that the parent sees."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext

from dualmetrics import configure

COUNTS = 100
"""What each child counts."""

ENDINGS = ("normal", "exit", "kill") * 2
PARENT_COUNTS = 5
EXPECTED = COUNTS * len(ENDINGS) + 4 * COUNTS + PARENT_COUNTS


def record(times: int = COUNTS) -> None:
    """Record in this process."""
    jobs = configure().meter("script").create_counter("jobs")
    for _ in range(times):
        jobs.add(1)


def record_and_end(ending: str) -> None:
    """Record, and end in one of `ENDINGS`."""
    record()
    if ending == "exit":
        os._exit(0)
    if ending == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def run_children(context: BaseContext) -> None:
    """Record in processes, and in the two kinds of pools."""
    children = [
        context.Process(target=record_and_end, args=(ending,))  # type: ignore[attr-defined]
        for ending in ENDINGS
    ]
    for process in children:
        process.start()
    for process in children:
        process.join()
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        list(executor.map(record, [COUNTS, COUNTS]))
    with context.Pool(2) as pool:
        pool.map(record, [COUNTS, COUNTS])


def main(method: str, parent_records: str) -> None:
    """Start children by a method; ``parent_records`` is "before" or "after" them."""
    if parent_records == "before":
        record(PARENT_COUNTS)
    run_children(multiprocessing.get_context(method))
    if parent_records == "after":
        record(PARENT_COUNTS)
    families = configure().snapshot().families
    jobs = [family.points[0].cells[0] for family in families if family.descriptor.name == "jobs"]
    sys.stdout.write(f"{int(jobs[0])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
