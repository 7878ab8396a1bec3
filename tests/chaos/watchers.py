"""Watchers that check all the time that no total goes down: on the page, and in the pushes."""

from __future__ import annotations

import http.client
import threading

from dualmetrics.cli.otlp_points import ReceivedPoint, SeriesKey, read_points
from dualmetrics.cli.otlp_receiver import ReceivedRequest
from tests.servers.server import Samples, Server

_CUMULATIVE = ("_total", "_bucket", "_count", "_sum")


class PageWatcher(threading.Thread):
    """Scrapes again and again, each time on a new connection, so that any worker may answer."""

    def __init__(self, server: Server, pause: float) -> None:
        super().__init__(daemon=True)
        self.scrapes = 0
        self.violations: list[str] = []
        self._server = server
        self._pause = pause
        self._last: Samples = {}
        self._ended = threading.Event()

    def run(self) -> None:
        """Scrape until `end` is called."""
        while not self._ended.wait(self._pause):
            try:
                self._compare(self._server.page())
            except AssertionError as error:
                self.violations.append(f"a scrape failed: {error}")
            except TimeoutError:
                self.violations.append("a scrape timed out")
            except (OSError, http.client.HTTPException):
                continue  # its worker was killed

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def _compare(self, page: Samples) -> None:
        self.scrapes += 1
        now = {key: value for key, value in page.items() if key[0].endswith(_CUMULATIVE)}
        for key, before in self._last.items():
            if key not in now or now[key] < before:
                self.violations.append(f"{key} went from {before} to {now.get(key)} on the page")
        self._last = now


class PushWatcher:
    """Compares the pushes by the times of their points: the last one of a killed leader may arrive late."""

    def __init__(self) -> None:
        self.pushes = 0
        self.violations: list[str] = []
        self._last: dict[SeriesKey, ReceivedPoint] = {}
        self._lock = threading.Lock()

    def check(self, request: ReceivedRequest) -> None:
        """Compare a request with those before it."""
        with self._lock:
            self.pushes += 1
            for key, point in read_points(request.message):
                if point.kind in ("counter", "histogram"):
                    self._compare(key, self._last.get(key), point)

    def _compare(self, key: SeriesKey, before: ReceivedPoint | None, now: ReceivedPoint) -> None:
        if before is not None and now.time < before.time:
            before, now = now, before
        self._last[key] = now
        if before is not None and now.start != before.start:
            self.violations.append(f"{key}: the start time moved from {before.start} to {now.start}")
        if before is not None and now.value < before.value:
            self.violations.append(f"{key} went from {before.value} to {now.value} in the push")
