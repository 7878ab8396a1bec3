"""What a signal handler raises leaves no lock held."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from dualmetrics.runtime.locks import ReentrantLock

ATTEMPTS = 500


class InterruptError(Exception):
    """What the signal handler raises."""


@pytest.fixture
def interrupting() -> Iterator[None]:
    """Have each alarm raise."""

    def handle(number: int, frame: object) -> None:
        raise InterruptError

    before = signal.signal(signal.SIGALRM, handle)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def use_until_interrupted(lock: ReentrantLock, seconds: float) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            with lock:
                pass
    except InterruptError:
        return


def try_until_interrupted(lock: ReentrantLock, seconds: float) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            lock.call_within(1, list)
    except InterruptError:
        return


def is_free(lock: ReentrantLock) -> bool:
    """Whether another thread can take the lock."""
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=1)))
    thread.start()
    thread.join()
    return taken == [True]


@pytest.mark.usefixtures("interrupting")
@pytest.mark.parametrize("use", [use_until_interrupted, try_until_interrupted])
def test_a_handler_that_raises_leaves_the_lock_free(use: Callable[[ReentrantLock, float], None]) -> None:
    for attempt in range(ATTEMPTS):
        lock = ReentrantLock()
        use(lock, 1e-5 * (1 + attempt % 7))
        assert is_free(lock), f"held after {attempt} interruptions"


@pytest.mark.usefixtures("interrupting")
def test_a_handler_that_raises_while_a_thread_waits_takes_nothing_from_the_owner() -> None:
    lock, held, end = ReentrantLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            end.wait(10)

    owner = threading.Thread(target=hold)
    owner.start()
    assert held.wait(10)
    use_until_interrupted(lock, 0.01)
    assert not is_free(lock)
    end.set()
    owner.join()
    assert is_free(lock)


def test_the_lock_is_reentrant() -> None:
    lock = ReentrantLock()
    with lock, lock:
        assert not is_free(lock)
    assert is_free(lock)


def test_a_lock_that_another_thread_holds_is_not_taken_in_time() -> None:
    lock = ReentrantLock()
    calls: list[None] = []
    with lock:
        thread = threading.Thread(target=lock.call_within, args=(0.01, lambda: calls.append(None)))
        thread.start()
        thread.join()
    assert calls == []
    assert is_free(lock)
