"""A WSGI app with metrics in this process, which is one worker of a group, and what it logs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from dualmetrics.telemetry import Telemetry
from dualmetrics.wsgi import MetricsMiddleware
from tests.servers.server import Samples, total

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


NO_GROUP = "no worker group"
NO_SPACE = "no space left in the group's directory"
"""Parts of the messages of a worker without a group's directory, or without space in it."""


class LogRecorder(logging.Handler):
    """Keeps the messages that dualmetrics logs."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        logging.getLogger("dualmetrics").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def count(self, text: str) -> int:
        """Return how many messages contain a text."""
        return sum(text in message for message in self.messages)


class WsgiWorker:
    """One worker of the group in ``directory`` (DUALMETRICS_DIR), to be made in a forked child."""

    def __init__(self, directory: Path) -> None:
        Client(hello).get("/", buffered=True)  # imports now what the client would import later
        self.log = LogRecorder()
        self.telemetry = Telemetry(label="default", metrics_exporter="prometheus", directory=str(directory))
        self._client = Client(MetricsMiddleware(hello, telemetry=self.telemetry))

    def serve(self, times: int) -> None:
        """Serve so many requests."""
        for _ in range(times):
            assert self._client.get("/", buffered=True).status_code == 200

    def page_status(self) -> int:
        """Scrape. Returns the status of the answer."""
        return self._client.get("/metrics", buffered=True).status_code

    def page(self) -> Samples:
        """Scrape. Returns the samples of the page, which must be valid and have status 200."""
        response = self._client.get("/metrics", buffered=True)
        assert response.status_code == 200, response.data
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    def check_total(self, requests: float) -> Samples:
        """Check that several scrapes show the exact total of requests. Returns the last page."""
        for _ in range(3):
            assert total(self.page(), "http_requests_total") == requests, self.log.messages
        return self.page()

    def internal_errors(self) -> float:
        """Return how many internal errors the page shows."""
        return total(self.page(), "dualmetrics_internal_errors_total")

    def private_memory_messages(self) -> int:
        """Return how many messages say that this worker cannot share its numbers."""
        return self.log.count(NO_GROUP) + self.log.count(NO_SPACE)


def hello(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The app."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def group_directory(directory: Path, label: str = "default") -> Path:
    """Where a group with DUALMETRICS_DIR=``directory`` keeps its files, for this user."""
    return directory / f"dualmetrics-{os.geteuid()}" / label
