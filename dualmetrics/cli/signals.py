"""Orderly shutdown of a command by Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StopSignal(BaseException):
    """The command was asked to stop. It is not an Exception, so that no handler mistakes it for an error."""


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set during the block."""
    stopped = threading.Event()
    with _stop_handler(stopped.set):
        yield stopped


@contextmanager
def raise_on_stop() -> Iterator[None]:
    """Raise `StopSignal` in the main thread if Ctrl-C or SIGTERM arrives during the block."""

    def stop() -> None:
        raise StopSignal

    with _stop_handler(stop):
        yield


@contextmanager
def _stop_handler(stop: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
