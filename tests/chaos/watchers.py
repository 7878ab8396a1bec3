"""Those who look all the time: at the page, and at what is pushed."""

from __future__ import annotations

import http.client
import threading

from dualmetrics.cli.otlp_points import SeriesKey, ReceivedPoint, read_points
from dualmetrics.cli.otlp_receiver import ReceivedRequest
from tests.servers.server import Samples, Server

_COUNTED = ("_total", "_bucket", "_count", "_sum")


class Scraper(threading.Thread):
    """Asks for the page again and again, each time on a new connection: of any worker."""

    def __init__(self, server: Server, pause: float) -> None:
        super().__init__(daemon=True)
        self.scrapes = 0
        self.violations: list[str] = []
        self._server = server
        self._pause = pause
        self._last: Samples = {}
        self._ended = threading.Event()

    def run(self) -> None:
        """Until `end`."""
        while not self._ended.wait(self._pause):
            try:
                self._look(self._server.page())
            except AssertionError as error:
                self.violations.append(f"a scrape failed: {error}")
            except TimeoutError:
                self.violations.append("a scrape hung")
            except (OSError, http.client.HTTPException):
                continue  # its worker was killed

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def _look(self, page: Samples) -> None:
        self.scrapes += 1
        counted = {key: value for key, value in page.items() if key[0].endswith(_COUNTED)}
        for key, before in self._last.items():
            now = counted.get(key)
            if now is None or now < before:
                self.violations.append(f"{key} went from {before} to {now} on the page")
        self._last = counted


class Pushes:
    """What the receiver got, in the order of the points' times: a killed pusher's last may arrive late."""

    def __init__(self) -> None:
        self.count = 0
        self.violations: list[str] = []
        self._last: dict[SeriesKey, ReceivedPoint] = {}
        self._lock = threading.Lock()

    def take(self, delivered: ReceivedRequest) -> None:
        """To be called with each request."""
        with self._lock:
            self.count += 1
            for key, now in read_points(delivered.message):
                if now.kind in ("counter", "histogram"):
                    self._compare(key, self._last.get(key), now)

    def _compare(self, key: SeriesKey, before: ReceivedPoint | None, now: ReceivedPoint) -> None:
        if before is not None and now.time < before.time:
            before, now = now, before
        self._last[key] = now
        if before is not None and now.start != before.start:
            self.violations.append(f"{key}: the start moved from {before.start} to {now.start}")
        if before is not None and now.value < before.value:
            self.violations.append(f"{key} went from {before.value} to {now.value} in the push")
