"""A WSGI app in this process that pushes its metrics, and readers of its page."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dualmetrics import Telemetry
from dualmetrics.testing.wsgi_client import WsgiCall
from dualmetrics.wsgi import MetricsMiddleware


class PushingApp:
    """An app whose metrics are pushed, with a secret header, to a Collector that may misbehave."""

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
            call = WsgiCall(self._app)
            assert call.send_all() == [b"fine"]
            call.close()

    def total(self, pattern: str) -> float:
        """Add up the samples of the page whose name and labels begin with ``pattern``."""
        page = self.telemetry.render()[1].decode()
        return sum(float(value) for value in re.findall(rf"^{pattern}.* (\S+)$", page, re.MULTILINE))

    def failed_pushes(self) -> float:
        """Return how many pushes failed, as the page shows it."""
        return self.total(r'dualmetrics_exports_total\{result="failure"')


@contextmanager
def pushing_app(endpoint: str | None, protocol: str, **settings: Any) -> Iterator[PushingApp]:
    """Run an app. It shuts down in time, whatever the Collector does."""
    app = PushingApp(endpoint, protocol, **settings)
    try:
        yield app
    finally:
        began = time.monotonic()
        app.telemetry.shutdown()
        assert time.monotonic() - began < 1 + 1, "its shutdown timeout and a second"
