"""An app in this process, its page, and its pushes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults

from dualmetrics import Telemetry
from dualmetrics.wsgi import MetricsMiddleware


class Shop:
    """An app whose metrics are pushed to a Collector."""

    def __init__(self, endpoint: str | None, protocol: str, **settings: Any) -> None:
        secret = {"authorization": "Bearer hunter2"}
        self.telemetry = Telemetry(
            endpoint=endpoint,
            protocol=protocol,
            headers=secret,
            **{"timeout": 0.3, "shutdown_timeout": 1, **settings},
        )
        self._app: Any = MetricsMiddleware(self._answer, telemetry=self.telemetry)

    @staticmethod
    def _answer(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"fine"]

    def serve(self, times: int) -> None:
        """Serve so many requests."""
        for _ in range(times):
            environ: dict[str, Any] = {}
            setup_testing_defaults(environ)
            body = self._app(environ, lambda status, headers, error=None: None)
            assert list(body) == [b"fine"]
            body.close()

    def total(self, name: str) -> float:
        """The sum of the page's samples of a name, with the labels that follow."""
        page = self.telemetry.render()[1].decode()
        return sum(float(value) for value in re.findall(rf"^{name}.* (\S+)$", page, re.MULTILINE))

    def failures(self) -> float:
        """How many pushes failed."""
        return self.total(r'dualmetrics_exports_total\{result="failure"')


@contextmanager
def shop(endpoint: str | None, protocol: str, **settings: Any) -> Iterator[Shop]:
    """An app; its end comes in time whatever the Collector does."""
    made = Shop(endpoint, protocol, **settings)
    try:
        yield made
    finally:
        began = time.monotonic()
        made.telemetry.shutdown()
        assert time.monotonic() - began < 1 + 1
