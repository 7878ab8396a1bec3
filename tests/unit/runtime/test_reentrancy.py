"""A guard tells a block whether its own thread is inside already."""

from __future__ import annotations

import threading

import pytest

from dualmetrics.runtime.reentrancy import ReentrancyGuard


def test_only_the_outermost_block_of_a_thread_is_told_so() -> None:
    guard = ReentrancyGuard(threading.RLock())
    with guard as outermost:
        with guard as inner:
            assert (outermost, inner) == (True, False)
        with guard as again:
            assert not again
    with guard as outermost:
        assert outermost


def test_an_exception_leaves_the_guard_as_it_was() -> None:
    guard = ReentrancyGuard(threading.RLock())
    with pytest.raises(ValueError, match="inside"), guard:
        raise ValueError("inside")
    with guard as outermost:
        assert outermost


def test_another_thread_waits_and_is_the_outermost_of_its_own() -> None:
    lock = threading.RLock()
    guard, results = ReentrancyGuard(lock), list[bool]()

    def enter() -> None:
        with guard as outermost:
            results.append(outermost)

    thread = threading.Thread(target=enter)
    with guard:
        thread.start()
        assert results == []
    thread.join(10)
    assert results == [True]
