"""The open connections of a server: how many there may be, and how long each of them may last."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""A linger time of zero: what was not read is dropped with the connection."""


@dataclass
class _Times:
    """Until when a connection may last, and since when we wait for its client: None while it waits for us."""

    deadline: float
    client_awaited_since: float | None


class Connections:
    """Bounds the connections of a server that has a thread for each. Times are in seconds.

    If there are ``max_connections``, the oldest give way for whose clients we have waited for
    ``max_patience``: to send the request, or to read the response. So others cannot keep a scraper out.
    """

    def __init__(
        self, max_connections: int = 32, max_seconds: float = 30.0, max_patience: float = 0.25
    ) -> None:
        self._max_connections = max_connections
        self._max_seconds = max_seconds
        self._max_patience = max_patience
        self._open: dict[socket.socket, _Times] = {}  # the oldest first
        self._changed = threading.Condition()

    def has_room(self) -> bool:
        """Whether there may be another connection. If not, some are cut off, and there soon may be."""
        with self._changed:
            if len(self._open) < self._max_connections:
                return True
            impatient_since = time.monotonic() - self._max_patience
            slow = (
                connection
                for connection, times in self._open.items()
                if times.client_awaited_since is not None and times.client_awaited_since < impatient_since
            )
            for connection in islice(slow, 1 + self._max_connections // 4):
                _cut(connection)
            return False

    def add(self, connection: socket.socket) -> None:
        """Count a new connection."""
        with self._changed:
            now = time.monotonic()
            self._open[connection] = _Times(now + self._max_seconds, now)

    def remove(self, connection: socket.socket) -> None:
        """Count a connection no longer: it is closed, and its thread ends."""
        with self._changed:
            self._open.pop(connection, None)
            self._changed.notify_all()

    @contextlib.contextmanager
    def answering(self, connection: socket.socket) -> Iterator[None]:
        """Do not wait for the client meanwhile."""
        times = self._open[connection]
        times.client_awaited_since = None
        try:
            yield
        finally:
            times.client_awaited_since = time.monotonic()

    def cut_late(self) -> float | None:
        """Cut off what has lasted too long. Return the seconds until the next one has; None without any."""
        with self._changed:
            now = time.monotonic()
            for connection, times in self._open.items():
                if times.deadline <= now:
                    _cut(connection)
            return min(
                (times.deadline - now for times in self._open.values() if times.deadline > now), default=None
            )

    def finish(self, seconds: float) -> None:
        """Wait for all connections to end, and cut off those that are still open after ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open, seconds)
            for connection in self._open:
                _cut(connection)

    def close_inherited(self) -> None:
        """Close the copies that a forked child has. The connections are the parent's."""
        for connection in self._open:
            os.close(
                connection.detach()
            )  # `close` would wait for the files that the handlers have made of it


def _cut(connection: socket.socket) -> None:
    """Wake the thread that reads from a connection or writes to it, and then closes it."""
    with contextlib.suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
