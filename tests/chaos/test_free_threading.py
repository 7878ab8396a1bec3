"""With the interpreter's lock declared absent, totals are exact and nothing waits for ever."""

from __future__ import annotations

from pathlib import Path

from tests.programs import run_python

FORK_WHILE_THE_LOCKS_ARE_HELD = """
from tests import without_gil
import os
import threading

forking, held, forked = threading.Event(), threading.Event(), threading.Event()
# Registered first, so this runs when the background work of dualmetrics has stopped already.
os.register_at_fork(before=lambda: (forking.set(), held.wait()), after_in_parent=forked.set)

from dualmetrics import Telemetry
from dualmetrics.runtime.free_threading import SHARDS
from tests.forking import run_in_child

def hold():
    forking.wait()
    for shard in SHARDS:
        shard.lock.acquire()
    held.set()
    forked.wait()
    for shard in SHARDS:
        shard.lock.release()

counter = Telemetry().meter_provider.get_meter("m").create_counter("c")
counter.add(1)
thread = threading.Thread(target=hold)
thread.start()
run_in_child(lambda: counter.add(1))
thread.join()
"""

LOCK_ORDER = """
import tests.chaos.thread_storm as storm_program
from tests.chaos.lock_order import watch

storm = storm_program.Storm()
storm.samples()
violations, taken = watch(storm.telemetry)
with storm_program.ThreadPoolExecutor(4) as threads:
    for _ in threads.map(storm.record, range(200)):
        storm.samples()
        storm.counter.add(-1)  # an internal error
assert not violations, violations
assert len(taken) == 5, taken
"""


def _run(code: str, directory: Path) -> None:
    run_python(f"import warnings; warnings.simplefilter('ignore')\n{code}", DUALMETRICS_DIR=str(directory))


def test_totals_of_threads_are_exact_while_series_appear_scrapes_run_and_children_are_forked(
    tmp_path: Path,
) -> None:
    _run("from tests.chaos.thread_storm import main; main()", tmp_path)


def test_a_child_can_record_though_other_threads_were_recording_at_the_fork(tmp_path: Path) -> None:
    _run(FORK_WHILE_THE_LOCKS_ARE_HELD, tmp_path)


def test_locks_are_taken_in_the_documented_order(tmp_path: Path) -> None:
    _run(LOCK_ORDER, tmp_path)
