"""The page on Python's own HTTP server."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.messages import ScrapeRequest


class PageServer(ThreadingHTTPServer):
    """Serves the page at ``path`` on a port of all addresses. Raises OSError if the port is taken."""

    daemon_threads = True

    def __init__(self, port: int, path: str, endpoint: ScrapeEndpoint) -> None:
        super().__init__(("", port), _handler(path, endpoint))


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
