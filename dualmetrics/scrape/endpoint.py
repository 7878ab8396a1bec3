"""The page as an HTTP resource, whatever the protocol and the framework."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from urllib.parse import parse_qsl

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import Choice, negotiate
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl
from dualmetrics.scrape.compression import accepts_gzip, gzip_chunks
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse, text_response
from dualmetrics.scrape.single_flight import SingleFlight
from dualmetrics.workers.group_files import IncompleteGroupError

_MIN_COMPRESSED_BYTES = 1024
_MAX_NAMES = 100
_MAX_QUERY_LENGTH = 8192
_MAX_REASON_LENGTH = 500

_NO_ADDRESS = (
    "dualmetrics: a scrape was refused with 403. It came through a Unix socket, where clients have no "
    "address. To allow everybody who may use the socket, add unix to DUALMETRICS_METRICS_ALLOW. If a proxy "
    "uses it, add unix to DUALMETRICS_TRUSTED_PROXIES, and let the proxy send X-Forwarded-For"
)


class ScrapeEndpoint:
    """Answers requests for the page, and reports each one by ``on_scrape(result, seconds)``.

    A result is ``success``, ``failure`` or ``denied``. ``render(choice, names)`` makes the page. `respond`
    blocks while the page is rendered, so call it where that delays no other work.
    """

    def __init__(
        self,
        render: Callable[[Choice, Collection[str]], Page],
        access_control: AccessControl,
        errors: ErrorReporter,
        on_scrape: Callable[[str, float], None] = lambda result, seconds: None,
    ) -> None:
        self._render = render
        self._access_control = access_control
        self._errors = errors
        self._on_scrape = on_scrape
        self._renderings: SingleFlight[Page] = SingleFlight()
        self.before_page: Callable[[], None] = lambda: None
        """Called before a page is rendered: a process that serves it is a worker of the group."""

    def respond(self, request: ScrapeRequest) -> ScrapeResponse:
        """Answer one request. Never raises."""
        started = time.perf_counter()
        try:
            result, response = self._answer(request)
        except IncompleteGroupError as error:
            result, response = "failure", text_response(503, str(error))
        except Exception as error:
            self._errors.error("rendering the page", error)
            reason = f"{type(error).__name__}: {error}"[:_MAX_REASON_LENGTH]
            result, response = "failure", text_response(500, reason)
        self._report(result, time.perf_counter() - started)
        return response._replace(chunks=[]) if request.method == "HEAD" else response

    def _report(self, result: str, seconds: float) -> None:
        try:
            self._on_scrape(result, seconds)
        except Exception as error:
            self._errors.error("counting a scrape", error)

    def _answer(self, request: ScrapeRequest) -> tuple[str, ScrapeResponse]:
        status = self._access_control.denied_status(request.headers, request.client)
        if status is not None:
            if status == 403 and not request.client:
                self._errors.log_once("no address", _NO_ADDRESS)
            challenges = self._access_control.challenges if status == 401 else []
            return "denied", text_response(status, "", *(("WWW-Authenticate", text) for text in challenges))
        if request.method not in ("GET", "HEAD"):
            return "failure", text_response(405, "only GET and HEAD", ("Allow", "GET, HEAD"))
        names = _names(request.query)
        if names is None:
            reason = f"at most {_MAX_NAMES} names in {_MAX_QUERY_LENGTH} characters"
            return "failure", text_response(400, reason)
        self.before_page()
        choice = negotiate(request.headers.get("accept"))
        page = self._renderings.call((choice.content_type, names), lambda: self._render(choice, names))
        return "success", _page_response(page, request.headers.get("accept-encoding", ""))


def _names(query: str) -> frozenset[str] | None:
    """The metrics that ``name[]`` parameters ask for; None if there are too many."""
    if len(query) > _MAX_QUERY_LENGTH:
        return None
    names = frozenset(value for name, value in parse_qsl(query) if name == "name[]")
    return names if len(names) <= _MAX_NAMES else None


def _page_response(page: Page, accept_encoding: str) -> ScrapeResponse:
    headers = [("Content-Type", page.content_type), ("Vary", "Accept, Accept-Encoding")]
    size, chunks = page.size, page.chunks()
    if size >= _MIN_COMPRESSED_BYTES and accepts_gzip(accept_encoding):
        headers.append(("Content-Encoding", "gzip"))
        compressed = [*gzip_chunks(chunks)]
        size, chunks = sum(map(len, compressed)), iter(compressed)
    headers.append(("Content-Length", str(size)))
    return ScrapeResponse(200, headers, chunks)
