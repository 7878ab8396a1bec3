"""What others ask of the background thread, and how they wait for it."""

from __future__ import annotations

import enum
import queue
import threading
from typing import TypeAlias


class Command(enum.Enum):
    """What the thread can be asked to do."""

    FLUSH = "push now, if this worker is the leader"
    FINISH = "leave the group in good order, and end"
    PAUSE = "resign as leader, and end"
    SUSPEND = "end, and remain the leader: a thread that is started soon continues"


class Request:
    """A command to the thread, and the place where its result is awaited."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._lock = threading.Lock()
        self._taken = False
        self._done = threading.Event()
        self._success = False

    def take(self) -> bool:
        """Begin with it, or withdraw it: only the first call returns True."""
        with self._lock:
            was_taken, self._taken = self._taken, True
            return not was_taken

    def set_result(self, success: bool) -> None:
        """Let those who wait go on."""
        self._success = success
        self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self._done.is_set()

    def wait(self, timeout: float) -> bool:
        """The result; False if there is none within ``timeout`` seconds."""
        return self._done.wait(timeout) and self._success


RequestQueue: TypeAlias = "queue.SimpleQueue[Request]"
"""What the thread is asked to do, in this order."""


def new_queue() -> RequestQueue:
    """Make a queue. Its class is looked up only now, because gevent may have replaced it since the import."""
    return queue.SimpleQueue()


def next_request(requests: RequestQueue, seconds: float) -> Request | None:
    """Wait up to ``seconds`` for a request. None if there is none, or if it was withdrawn."""
    try:
        request = requests.get(timeout=seconds)
    except queue.Empty:
        return None
    return request if request.take() else None
