"""An app under the plain WSGI middleware, asked in its own process, with what it logs."""

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


class Log(logging.Handler):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        logging.getLogger("dualmetrics").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def times(self, text: str) -> int:
        """How often something with this text in it was said."""
        return sum(text in message for message in self.said)


class Site:
    """One worker of the group in ``directory`` (as DUALMETRICS_DIR): for a forked child that is to die."""

    def __init__(self, directory: Path) -> None:
        Client(hello).get("/", buffered=True)  # what the client imports late is there from now on
        self.log = Log()
        self.telemetry = Telemetry(label="default", metrics_exporter="prometheus", directory=str(directory))
        self._client = Client(MetricsMiddleware(hello, telemetry=self.telemetry))

    def work(self, times: int) -> None:
        """Be asked so many times, and answer."""
        for _ in range(times):
            assert self._client.get("/", buffered=True).status_code == 200

    def status(self) -> int:
        """How the page answers."""
        return self._client.get("/metrics", buffered=True).status_code

    def page(self) -> Samples:
        """What a valid page of status 200 shows."""
        response = self._client.get("/metrics", buffered=True)
        assert response.status_code == 200, response.data
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    def check(self, requests: float) -> Samples:
        """Serve, and show the exact total on each of several pages."""
        for _ in range(3):
            assert total(self.page(), "http_requests_total") == requests, self.log.said
        return self.page()


def hello(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The app."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def group(directory: Path) -> Path:
    """Where the group of DUALMETRICS_DIR=``directory`` keeps its files, for this user."""
    return directory / f"dualmetrics-{os.geteuid()}" / "default"
