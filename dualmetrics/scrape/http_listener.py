"""The page by Python's own HTTP server."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.messages import ScrapeRequest


class PageServer(ThreadingHTTPServer):
    """Serves ``page`` on ``path`` of a port of all addresses. Raises OSError if that is taken."""

    daemon_threads = True

    def __init__(self, port: int, path: str, page: ScrapeEndpoint) -> None:
        super().__init__(("", port), _handler(path, page))


def _handler(path: str, page: ScrapeEndpoint) -> type[BaseHTTPRequestHandler]:
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
                ScrapeRequest(self.command, headers, url.query, str(self.client_address[0]))
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
