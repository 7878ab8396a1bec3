"""The background thread, with tasks that note their calls."""

from __future__ import annotations

import math
import threading
import time

from dualmetrics.background.worker_thread import BackgroundWorker
from dualmetrics.runtime.errors import ErrorReporter
from tests.waiting import wait_until


class RecordedTasks:
    """Tasks that note their calls."""

    def __init__(self, is_leader: bool = True, interval: float = 3600) -> None:
        self.is_leader = is_leader
        self.interval = interval
        self.last_push = time.monotonic()
        self.calls: list[str] = []
        self.retry_after = math.inf
        self.pushed = threading.Semaphore(0)
        self.failing: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def _note(self, task: str) -> bool:
        self.calls.append(task)
        if task in self.failing:
            raise OSError(f"{task} failed")
        return True

    def tick(self) -> bool:
        self._note("tick")
        return self.is_leader

    def seconds_to_push(self) -> float:
        return self.last_push + self.interval - time.monotonic()

    def push(self) -> bool:
        self.last_push = time.monotonic()
        self.pushed.release()
        self.gate.wait(30)
        return self._note("push")

    def finish(self) -> bool:
        return self._note("finish")

    def seconds_to_retry(self) -> float:
        return self.retry_after

    def retry(self) -> bool:
        return self._note("retry")

    def rest(self) -> None:
        self._note("rest")

    def resign(self) -> None:
        self._note("resign")


def worker(tasks: RecordedTasks) -> BackgroundWorker:
    return BackgroundWorker(tasks, ErrorReporter())


def test_between_two_ticks_is_tried_again_what_failed() -> None:
    tasks = RecordedTasks(interval=60)
    tasks.retry_after = 0.001
    thread = worker(tasks)
    thread.start()
    wait_until(lambda: tasks.calls.count("retry") >= 3, 10, "further attempts")
    assert tasks.calls.count("tick") == 1
    thread.pause()


def test_the_leader_pushes_at_each_interval() -> None:
    tasks = RecordedTasks(interval=0.01)
    thread = worker(tasks)
    thread.start()
    for _ in range(3):
        assert tasks.pushed.acquire(timeout=10)
    assert thread.finish(10)


def test_other_workers_do_not_push() -> None:
    tasks = RecordedTasks(is_leader=False, interval=0.001)
    thread = worker(tasks)
    assert thread.flush(10)
    assert thread.finish(10)
    assert "push" not in tasks.calls


def test_a_flush_pushes_at_once() -> None:
    tasks = RecordedTasks()
    thread = worker(tasks)
    assert thread.flush(10)
    assert tasks.calls[-2:] == ["push", "rest"]
    assert thread.finish(10)


def test_a_flush_does_not_wait_beyond_its_timeout_for_a_collector_that_hangs() -> None:
    tasks = RecordedTasks()
    tasks.gate.clear()
    thread = worker(tasks)
    started = time.monotonic()
    assert not thread.flush(0.05)
    assert not thread.finish(0.05)
    assert time.monotonic() - started < 5
    tasks.gate.set()


def test_the_thread_survives_tasks_that_raise() -> None:
    tasks = RecordedTasks()
    tasks.failing = {"tick", "push", "finish"}
    thread = worker(tasks)
    assert thread.flush(10)
    tasks.failing = {"push"}
    assert not thread.flush(10)
    tasks.failing = set()
    assert thread.flush(10)
    assert thread.finish(10)


def test_finishing_twice_is_harmless_and_starting_again_works() -> None:
    tasks = RecordedTasks()
    thread = worker(tasks)
    thread.start()
    assert thread.finish(10)
    assert thread.finish(10)
    assert thread.flush(10)
    assert thread.finish(10)
    assert tasks.calls.count("finish") == 2


def test_the_thread_ends_and_the_worker_resigns_before_a_fork() -> None:
    tasks = RecordedTasks()
    thread = worker(tasks)
    assert thread.flush(10)
    thread.pause()
    assert tasks.calls[-1] == "resign"
    assert not thread.running
