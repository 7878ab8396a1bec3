"""The background thread, with duties that tell what they were asked."""

from __future__ import annotations

import threading
import time

from dualmetrics.background.worker_thread import BackgroundWorker
from dualmetrics.runtime.errors import ErrorReporter


class Recorded:
    """Duties that note what is asked of them."""

    def __init__(self, leading: bool = True) -> None:
        self.leading = leading
        self.done: list[str] = []
        self.pushed = threading.Semaphore(0)
        self.fails: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def _note(self, what: str) -> bool:
        self.done.append(what)
        if what in self.fails:
            raise OSError(f"{what} failed")
        return True

    def tick(self) -> bool:
        self._note("tick")
        return self.leading

    def push(self) -> bool:
        self.pushed.release()
        self.gate.wait(30)
        return self._note("push")

    def finish(self) -> bool:
        return self._note("finish")

    def resign(self) -> None:
        self._note("resign")


def pusher(duties: Recorded, interval: float = 3600) -> BackgroundWorker:
    return BackgroundWorker(duties, interval, ErrorReporter())


def test_the_elected_worker_pushes_at_the_interval() -> None:
    duties = Recorded()
    thread = pusher(duties, interval=0.01)
    thread.start()
    for _ in range(3):
        assert duties.pushed.acquire(timeout=10)
    assert thread.finish(10)


def test_others_do_not_push() -> None:
    duties = Recorded(leading=False)
    thread = pusher(duties, interval=0.001)
    assert thread.flush(10)
    assert thread.finish(10)
    assert "push" not in duties.done


def test_a_flush_pushes_at_once() -> None:
    duties = Recorded()
    thread = pusher(duties)
    assert thread.flush(10)
    assert duties.done[-1] == "push"
    assert thread.finish(10)


def test_a_flush_waits_no_longer_than_it_may_for_a_collector_that_hangs() -> None:
    duties = Recorded()
    duties.gate.clear()
    thread = pusher(duties)
    started = time.monotonic()
    assert not thread.flush(0.05)
    assert not thread.finish(0.05)
    assert time.monotonic() - started < 5
    duties.gate.set()


def test_the_thread_survives_duties_that_raise() -> None:
    duties = Recorded()
    duties.fails = {"tick", "push", "finish"}
    thread = pusher(duties)
    assert thread.flush(10)
    duties.fails = {"push"}
    assert not thread.flush(10)
    duties.fails = set()
    assert thread.flush(10)
    assert thread.finish(10)


def test_finishing_twice_is_harmless_and_starting_again_works() -> None:
    duties = Recorded()
    thread = pusher(duties)
    thread.start()
    assert thread.finish(10)
    assert thread.finish(10)
    assert thread.flush(10)
    assert thread.finish(10)
    assert duties.done.count("finish") == 2


def test_before_a_fork_the_thread_ends_and_its_worker_is_no_longer_elected() -> None:
    duties = Recorded()
    thread = pusher(duties)
    assert thread.flush(10)
    thread.pause()
    assert duties.done[-1] == "resign"
    assert not thread.running
