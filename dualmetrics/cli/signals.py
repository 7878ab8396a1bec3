"""Ending in good order: at Ctrl-C and at SIGTERM alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StopSignal(BaseException):
    """Somebody wants the command to end. No Exception, so that nothing in between takes it for an error."""


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """For the block, Ctrl-C and SIGTERM set the event that is given."""
    stopped = threading.Event()
    with _handling(stopped.set):
        yield stopped


@contextmanager
def raise_on_stop() -> Iterator[None]:
    """For the block, Ctrl-C and SIGTERM raise `Stopped` in the main thread."""

    def stop() -> None:
        raise StopSignal

    with _handling(stop):
        yield


@contextmanager
def _handling(stop: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
