"""What became of a push: more than the official exporters tell their caller."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """``rejected`` points of a push that was taken otherwise, and what went wrong, in words for a log."""

    success: bool
    rejected: int
    message: str


class Responses:
    """Reads the HTTP responses of one push.

    The official exporter follows a redirection by a GET, or takes it for success: the points are lost in both
    cases. And it does not look into the body of a success, where a Collector says what it rejected.
    """

    def __init__(self) -> None:
        self.redirected = ""
        self.rejected = 0
        self.reason = ""

    def take(self, response: Any) -> None:
        """Look at one `requests.Response`."""
        if 300 <= response.status_code < 400:
            self.redirected = f"the Collector answered with a redirection (HTTP {response.status_code})"
        elif response.ok:
            self._read_partial_success(response.content)

    def _read_partial_success(self, body: bytes) -> None:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        try:
            partial = ExportMetricsServiceResponse.FromString(body).partial_success
        except DecodeError:  # it said success, in words of its own
            return
        self.rejected += partial.rejected_data_points
        self.reason = partial.error_message or self.reason


class _Catch(logging.Filter):
    """Keeps this thread's records from the log, and remembers the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.last = record.getMessage()
        return False


@contextmanager
def caught(exporter: object) -> Iterator[_Catch]:
    """Keep the exporter's own log lines, one or more for each failed push, for whoever logs once per change.

    Lines of other threads, such as a trace exporter's, go where they went before.
    """
    catch = _Catch()
    loggers = [logging.getLogger(name) for name in {kind.__module__ for kind in type(exporter).__mro__}]
    for logger in loggers:
        logger.addFilter(catch)
    try:
        yield catch
    finally:
        for logger in loggers:
            logger.removeFilter(catch)


def without(secrets: Collection[str], message: str) -> str:
    """The message with every secret in it blackened."""
    for secret in secrets:
        message = message.replace(secret, "***") if secret else message
    return message
