"""The page on a port of its own (PROMETHEUS_PORT), served by the elected worker of the group."""

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
    """Listens while this worker is the elected one. Another takes over when it is gone."""

    def __init__(self, port: int | None, path: str, page: ScrapeEndpoint, errors: ErrorReporter) -> None:
        self._port = port
        self._path = path
        self._page = page
        self._errors = errors
        self._server: PageServer | None = None
        forking.register(self)

    def open(self) -> None:
        """Listen, if that is wanted and not so already. A port that is taken is said once."""
        if self._port is None or self._server is not None:
            return
        from dualmetrics.scrape.http_listener import PageServer  # Python's HTTP server, which few need

        try:
            self._server = PageServer(self._port, self._path, self._page)
        except OSError as error:
            message = (
                "dualmetrics: PROMETHEUS_PORT=%s is not to be had (%s); the app's own server has the page"
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
        """Close the inherited socket, which would keep the port taken after the parent's death."""
        self._drop()

    def _drop(self) -> None:
        """Close the socket of a server that no thread of this process serves: it cannot be shut down."""
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):
                server.socket.close()
