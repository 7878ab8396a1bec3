"""The page on Python's own HTTP server."""

from __future__ import annotations

import select
import selectors
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.messages import ScrapeRequest

_END_SECONDS = 1.0


class PageServer(ThreadingHTTPServer):
    """Serves the page at ``path`` on the connections that ``listener`` accepts."""

    daemon_threads = True
    timeout = 0.0

    def __init__(self, listener: socket.socket, path: str, endpoint: ScrapeEndpoint) -> None:
        super().__init__(("", 0), _handler(path, endpoint), bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self._idle = threading.Condition()
        self._active = 0

    def serve_until(self, stop: socket.socket) -> None:
        """Answer until ``stop`` can be read.

        `serve_forever` is not used, because ending it takes up to half a second, which a fork would wait.
        """
        with selectors.DefaultSelector() as selector:
            for readable in (self.socket, stop):
                selector.register(readable, selectors.EVENT_READ)
            while all(key.fileobj is not stop for key, _ in selector.select()):
                self.handle_request()

    def answer_pending(self) -> None:
        """Answer the connections that were made before now, within a second."""
        while select.select([self.socket], [], [], 0)[0]:
            self.handle_request()
        with self._idle:
            self._idle.wait_for(lambda: not self._active, _END_SECONDS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, which is counted from now on."""
        with self._idle:
            self._active += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer in this thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()


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


def _handler(path: str, endpoint: ScrapeEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers the metrics path, and any other path with 404."""

        timeout = 30  # seconds for which a silent client may occupy a thread

        def _answer(self) -> None:
            url = urlsplit(self.path)
            if url.path != path:
                self.send_error(404)
                return
            names = {name.lower() for name in self.headers}
            headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
            response = endpoint.respond(
                ScrapeRequest(self.command, headers, url.query, str(self.client_address[0]))
            )
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.writelines(response.chunks)

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Log nothing: our own metrics count the scrapes."""

    return Handler
