"""The page on Python's own HTTP server."""

from __future__ import annotations

import selectors
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.connections import Connections
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.messages import ScrapeRequest

_END_SECONDS = 1.0
_ACCEPT_PAUSE_SECONDS = 0.05
_FULL_SECONDS = 0.05
"""How often a server that is full looks for room."""


class PageServer(ThreadingHTTPServer):
    """Serves the page at ``path`` on the connections that ``listener`` accepts, one request on each."""

    daemon_threads = True
    timeout = 0.0

    def __init__(
        self,
        listener: socket.socket,
        path: str,
        endpoint: ScrapeEndpoint,
        errors: ErrorReporter,
        connections: Connections,
    ) -> None:
        self.connections = connections
        self._errors = errors
        super().__init__(("", 0), _handler(path, endpoint, connections), bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()

    def serve_until(self, stop: socket.socket) -> None:
        """Answer until ``stop`` can be read. While there is no room, new connections wait in the kernel.

        `serve_forever` is not used, because ending it takes up to half a second, which a fork would wait.
        """
        with _selector(stop) as when_full, _selector(stop, self.socket) as when_open:
            while True:
                timeout = self.connections.cut_late()
                if self.connections.has_room():
                    ready = when_open.select(timeout)
                else:
                    ready = when_full.select(_FULL_SECONDS)
                if any(key.fileobj is stop for key, _ in ready):
                    return
                if ready:
                    self.handle_request()

    def answer_pending(self) -> None:
        """Answer the connections that were made before now, within a second, and end all connections."""
        deadline = time.monotonic() + _END_SECONDS
        with _selector(self.socket) as waiting:
            while waiting.select(0) and self.connections.has_room() and time.monotonic() < deadline:
                self.handle_request()
        self.connections.finish(max(0.0, deadline - time.monotonic()))

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. Raises OSError if that fails, after a moment: it may fail again at once."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_ACCEPT_PAUSE_SECONDS)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, which is counted from now on."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        self.connections.remove(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what went wrong, unless it is the connection that was closed."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self._errors.error("answering on PROMETHEUS_PORT", error)


def _selector(*sockets: socket.socket) -> selectors.BaseSelector:
    """A selector that waits until one of the sockets can be read."""
    selector = selectors.DefaultSelector()
    for each in sockets:
        selector.register(each, selectors.EVENT_READ)
    return selector


def open_listener(host: str, port: int, *, shared: bool) -> socket.socket:
    """Listen on a port, on all addresses of both families if ``host`` is empty.

    Raises OSError if the port is taken.

    With ``shared``, other processes of this user may listen on the same port, and the kernel gives each
    connection to one of them.
    """
    if not host:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        return socket.create_server(("", port), family=family, reuse_port=shared, dualstack_ipv6=both)
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family, reuse_port=shared)


def _handler(path: str, endpoint: ScrapeEndpoint, connections: Connections) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers the metrics path, and any other path with 404."""

        def _answer(self) -> None:
            url = urlsplit(self.path)
            if url.path != path:
                self.send_error(404)
                return
            names = {name.lower() for name in self.headers}
            headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
            request = ScrapeRequest(self.command, headers, url.query, str(self.client_address[0]))
            with connections.answering(self.connection):
                response = endpoint.respond(request)
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.writelines(response.chunks)

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Log nothing: our own metrics count the scrapes."""

    return Handler
