"""What became of a push: more than the official exporters tell their caller."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class ExportResult(NamedTuple):
    """``rejected`` points of a push that was taken otherwise, and what went wrong, in words for a log."""

    success: bool
    rejected: int
    message: str


class Responses:
    """Reads the HTTP responses of one push.

    The official exporter takes a redirection for success, though nobody has the points then. It does not look
    into the body of a success, where a Collector says what it rejected (OTLP, "Partial success"). And when it
    gives up, it has forgotten why it tried again.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the responses of the push before."""
        self.failure = ""
        self.rejected = 0
        self.reason = ""

    def failed(self, error: Exception) -> None:
        """There was no response."""
        self.failure = f"{type(error).__name__}: {error}"

    def take(self, response: Any) -> None:
        """Look at one `requests.Response`."""
        self.failure = ""
        if 200 <= response.status_code < 300:
            self._read_partial_success(response.content)
        else:
            self.failure = f"HTTP {response.status_code} {response.reason}"

    def _read_partial_success(self, body: bytes) -> None:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        try:
            partial = ExportMetricsServiceResponse.FromString(body).partial_success
        except DecodeError:  # it said success, in words of its own
            return
        self.rejected += partial.rejected_data_points
        self.reason = partial.error_message or self.reason


class CapturedLog(logging.Filter):
    """Keeps this thread's records from the log, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.lines.append(record.getMessage())
        return False

    @property
    def text(self) -> str:
        """Why it was tried again, and why it was given up: the first line and the last one."""
        return " ... ".join(dict.fromkeys((*self.lines[:1], *self.lines[-1:])))


_TRANSPORT = "urllib3.connection"
"""Logs each response whose headers it cannot read, with the whole URL."""


@contextmanager
def caught(exporter: object) -> Iterator[CapturedLog]:
    """Keep the exporter's own log lines, one or more for each failed push, for whoever logs once per change.

    Lines of other threads, such as a trace exporter's, go where they went before.
    """
    catch = CapturedLog()
    names = {_TRANSPORT, *(kind.__module__ for kind in type(exporter).__mro__)}
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.filters.insert(0, catch)  # before the exporter's own, which drops what it has said lately
    try:
        yield catch
    finally:
        for logger in loggers:
            logger.removeFilter(catch)
