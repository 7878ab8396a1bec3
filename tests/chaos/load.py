"""Clients that send requests, and know which were answered and by which worker."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from types import TracebackType


class Client(threading.Thread):
    """Sends requests one after the other while ``go`` is set, on one connection."""

    def __init__(self, port: int, go: threading.Event) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self.answered: Counter[int] = Counter()
        self._go = go
        self._busy = threading.Lock()
        self._ended = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def run(self) -> None:
        """Send until `end` is called."""
        while not self._ended.is_set():
            if self._go.wait(0.1):
                with self._busy:
                    self._send_if_wanted()

    def pause(self) -> None:
        """Wait for the current answer, and close the connection, since its worker may be killed now."""
        with self._busy:
            self._connection.close()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()
        self._connection.close()

    def _send_if_wanted(self) -> None:
        if self._go.is_set():
            try:
                self._send()
            except ConnectionRefusedError:  # for a moment uvicorn has no listening worker
                self._ended.wait(0.01)
            except (OSError, http.client.HTTPException):
                self.sent += 1
                self._connection.close()

    def _send(self) -> None:
        self._connection.request("GET", f"/work/{self.sent % 10}")
        response = self._connection.getresponse()
        body = response.read()
        self.sent += 1
        if response.status == 200:
            self.answered[int(body)] += 1


class Load:
    """Several clients that send and pause together. A context manager."""

    def __init__(self, port: int, clients: int) -> None:
        self._go = threading.Event()
        self._clients = [Client(port, self._go) for _ in range(clients)]

    def __enter__(self) -> Load:  # noqa: PYI034  # Self needs Python 3.11
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for client in self._clients:
            client.end()

    def resume(self) -> None:
        """Let all clients send."""
        self._go.set()

    def pause(self) -> None:
        """Stop sending, and wait until no request is in progress."""
        self._go.clear()
        for client in self._clients:
            client.pause()

    @property
    def sent(self) -> int:
        """How many requests may have reached a worker."""
        return sum(client.sent for client in self._clients)

    def answers(self) -> Counter[int]:
        """How many requests were answered, by the worker's pid."""
        return sum((client.answered.copy() for client in self._clients), Counter())
