"""The page on a port of its own (PROMETHEUS_PORT), served by the elected worker of the group."""

from __future__ import annotations

import contextlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dualmetrics.page import MetricsPage, PageRequest
from dualmetrics.threads import start_thread
from dualmetrics.trouble import Trouble


class PagePort:
    """Listens while this worker is the elected one. Another takes over when it is gone."""

    def __init__(self, port: int | None, path: str, page: MetricsPage, trouble: Trouble) -> None:
        self._port = port
        self._path = path
        self._page = page
        self._trouble = trouble
        self._server: ThreadingHTTPServer | None = None

    def open(self) -> None:
        """Listen, if that is wanted and not so already. A port that is taken is said once."""
        if self._port is None or self._server is not None:
            return
        try:
            self._server = _Server(("", self._port), _handler(self._path, self._page))
        except OSError as error:
            message = (
                "dualmetrics: PROMETHEUS_PORT=%s is not to be had (%s); the app's own server has the page"
            )
            self._trouble.once("port", message, self._port, error)
        else:
            self._trouble.over("port")
            start_thread("dualmetrics-port", self._server.serve_forever)

    def close(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def after_fork_in_child(self) -> None:
        """Close the inherited socket, which would keep the port taken after the parent's death."""
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):
                server.socket.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(path: str, page: MetricsPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers the metrics path; any other is 404."""

        timeout = 30  # seconds that a silent client may hold a thread

        def _answer(self) -> None:
            url = urlsplit(self.path)
            if url.path != path:
                self.send_error(404)
                return
            names = {name.lower() for name in self.headers}
            headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
            response = page.respond(
                PageRequest(self.command, headers, url.query, str(self.client_address[0]))
            )
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.writelines(response.chunks)

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Say nothing of each scrape; the page's own metrics count them."""

    return Handler
