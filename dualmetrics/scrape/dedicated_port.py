"""The page on a port of its own (PROMETHEUS_PORT), served by the leader of the group."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.threads import start_thread
from dualmetrics.scrape.endpoint import ScrapeEndpoint

if TYPE_CHECKING:
    from dualmetrics.scrape.http_listener import PageServer


class DedicatedPort:
    """Listens while this worker is the leader. When it is gone, the next leader takes over."""

    def __init__(self, port: int | None, path: str, endpoint: ScrapeEndpoint, errors: ErrorReporter) -> None:
        self._port = port
        self._path = path
        self._endpoint = endpoint
        self._errors = errors
        self._server: PageServer | None = None
        forking.register(self)

    def open(self) -> None:
        """Listen, unless no port is set or it is open already. A port that is taken is logged once."""
        if self._port is None or self._server is not None:
            return
        from dualmetrics.scrape.http_listener import (
            PageServer,
        )  # loads Python's HTTP server, which few apps need

        try:
            self._server = PageServer(self._port, self._path, self._endpoint)
        except OSError as error:
            message = (
                "dualmetrics: cannot listen on PROMETHEUS_PORT=%s (%s); "
                "the app's own server still serves the page"
            )
            self._errors.log_once("port", message, self._port, error)
        else:
            self._errors.reset("port")
            if not start_thread("dualmetrics-port", self._server.serve_forever):
                self._drop()

    def close(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def after_fork_in_child(self) -> None:
        """Close the inherited socket: it would keep the port taken after the parent has died."""
        self._drop()

    def _drop(self) -> None:
        """Close the socket of a server that no thread of this process runs: `shutdown` would never return."""
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):
                server.socket.close()
