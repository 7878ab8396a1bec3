"""Functions that run at the end of a process."""

from __future__ import annotations

from tests.programs import run_python

WITH_CHILD = """
import atexit, multiprocessing, os, sys
from dualmetrics.runtime import exit_hooks

def show(text):
    if multiprocessing.parent_process() is not None:
        os.write(1, f"{text}\\n".encode())

atexit.register(show, "atexit")

def show_hook():
    show("hook")

def work(cover):
    exit_hooks.call_at_exit(show_hook)
    if cover:
        exit_hooks.cover_multiprocessing()

if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[1] == "covered",))
    child.start()
    child.join()
"""


def test_a_process_that_multiprocessing_forked_calls_the_functions() -> None:
    assert run_python(WITH_CHILD, "covered").stdout == "hook\n"


def test_a_process_that_multiprocessing_forked_runs_no_atexit_function_of_its_parent() -> None:
    """If this fails, ``atexit`` is enough, and `multiprocessing.util.Finalize` is no longer needed."""
    assert run_python(WITH_CHILD, "not covered").stdout == ""
