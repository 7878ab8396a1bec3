"""Recording is safe from several threads on the interpreter that runs the tests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from dualmetrics.runtime import free_threading
from tests.unit.instruments.recording import Recording

TIMES, THREADS = 50_000, 4


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_lose_no_increment_on_this_interpreter() -> None:
    recording = Recording()
    counter = recording.meter.create_counter("c")

    def work() -> None:
        for _ in range(TIMES):
            counter.add(1, {"a": "b"})

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recording.cells() == {(("a", "b"),): [float(TIMES * THREADS)]}


def test_recording_takes_a_lock_on_a_free_threaded_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    def function() -> int:
        return 1

    locked = free_threading.locked_if_free_threaded(free_threading.FIRST_SHARD)
    assert (locked(function) is function) is not free_threading.is_free_threaded()
    monkeypatch.setattr(free_threading, "NEEDS_LOCKS", True)
    locked = free_threading.locked_if_free_threaded(free_threading.FIRST_SHARD)
    assert locked(function) is not function
    assert locked(function)() == 1


@pytest.mark.skipif(sys.version_info < (3, 13), reason="earlier versions have no free-threaded build")
def test_the_private_function_exists_and_has_no_public_replacement() -> None:
    # If this fails, is_free_threaded() either does not work any more or can use a public function.
    assert hasattr(sys, "_is_gil_enabled")
    assert not hasattr(sys, "is_gil_enabled")
