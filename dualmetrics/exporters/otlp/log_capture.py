"""Captures the log lines of an official exporter during a push."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

from opentelemetry.util.re import parse_env_headers

_Exporter = TypeVar("_Exporter")

_URLLIB3_LOGGER = "urllib3.connection"
"""Logs each response with headers that it cannot parse, with the whole URL, which may contain a secret.
urllib3 has no option for it, so a filter on its logger is the only way to keep the URL out of the log."""


class CapturedLog(logging.Filter):
    """Removes this thread's records from the log and stores their text."""

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
        """The first line (why the push was retried) and the last line (why it was given up)."""
        return " ... ".join(dict.fromkeys((*self.lines[:1], *self.lines[-1:])))


@contextmanager
def capture_log(exporter: object) -> Iterator[CapturedLog]:
    """Capture what the exporter logs in this thread: one line or more for each failed push.

    The caller logs only changes of state. Lines of other threads, such as those of a trace exporter, are
    logged as usual.
    """
    with _captured({_URLLIB3_LOGGER, *(base.__module__ for base in type(exporter).__mro__)}) as log:
        yield log


def build_quietly(build: Callable[[], _Exporter]) -> _Exporter:
    """Build an exporter. It logs the headers in its variables that it does not understand, which are secret.

    The settings have warned of them already.
    """
    with _captured({parse_env_headers.__module__}):
        return build()


@contextmanager
def _captured(names: Collection[str]) -> Iterator[CapturedLog]:
    log = CapturedLog()
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.filters.insert(0, log)  # before the exporter's own filter, which drops repeated lines
    try:
        yield log
    finally:
        for logger in loggers:
            logger.removeFilter(log)
