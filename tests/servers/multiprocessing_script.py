"""A program whose children record and end in every way; prints the total that the parent sees.

``python multiprocessing_script.py METHOD PARENT``: METHOD is how children are started, or "default". PARENT
says when the parent records: "before" or "after" them, or "never".
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any

from dualmetrics import configure

AT_THE_TOP = "CONFIGURE_AT_THE_TOP"
"""The variable that has this program configure the library where children import it."""

if AT_THE_TOP in os.environ:
    configure()

COUNTS = 100
"""What each child counts."""

ENDINGS = ("normal", "exit", "kill") * 2
PARENT_COUNTS = 5
EXPECTED = COUNTS * len(ENDINGS) + 4 * COUNTS + 2 * COUNTS
"""What all children count together."""


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


def record_with_a_child(method: str) -> None:
    """Record here and in a child of this process."""
    record()
    child = _context(method).Process(target=record)  # type: ignore[attr-defined]
    child.start()
    child.join()


def run_children(method: str) -> None:
    """Record in processes, in a child of one, and in the two kinds of pools."""
    context = _context(method)
    start: Any = context.Process  # type: ignore[attr-defined]
    children = [start(target=record_and_end, args=(ending,)) for ending in ENDINGS]
    children.append(start(target=record_with_a_child, args=(method,)))
    for process in children:
        process.start()
    for process in children:
        process.join()
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        list(executor.map(record, [COUNTS, COUNTS]))
    with context.Pool(2) as pool:
        pool.map(record, [COUNTS, COUNTS])


def _context(method: str) -> BaseContext:
    return multiprocessing.get_context(None if method == "default" else method)


def main(method: str, parent_records: str) -> None:
    """Start children, and print the total."""
    if parent_records == "before":
        record(PARENT_COUNTS)
    run_children(method)
    if parent_records == "after":
        record(PARENT_COUNTS)
    families = configure().snapshot().families
    jobs = [family.points[0].cells[0] for family in families if family.descriptor.name == "jobs"]
    sys.stdout.write(f"{int(jobs[0])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
