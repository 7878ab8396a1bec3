"""The page as an HTTP resource, whatever the protocol and the framework."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import Choice, negotiate
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl
from dualmetrics.scrape.encoded_page import encode
from dualmetrics.scrape.latest_pages import LatestPages
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse, text_response
from dualmetrics.scrape.pending_scrape import MAX_NAMES, MAX_QUERY_LENGTH, EncodedPages, PendingScrape
from dualmetrics.scrape.single_flight import CallingThread, SingleFlight
from dualmetrics.workers.group_files import IncompleteGroupError

_MAX_REASON_LENGTH = 500

_NO_ADDRESS = (
    "dualmetrics: a scrape was refused with 403. It came through a Unix socket, where clients have no "
    "address. To allow everybody who may use the socket, add unix to DUALMETRICS_METRICS_ALLOW. If a proxy "
    "uses it, add unix to DUALMETRICS_TRUSTED_PROXIES, and let the proxy send X-Forwarded-For"
)


class ScrapeEndpoint:
    """Answers requests for the page, and reports each one by ``on_scrape(result, seconds)``.

    A result is ``success``, ``failure`` or ``denied``. ``render(choice, names)`` makes the page. One page is
    rendered at a time, for all scrapes that arrived before it began and ask for the same.
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
        self._renderings: SingleFlight[EncodedPages] = SingleFlight()
        self._latest = LatestPages()
        self.before_page: Callable[[], None] = lambda: None
        """Called before a page is rendered: a process that serves it is a worker of the group."""

    def respond(self, request: ScrapeRequest) -> ScrapeResponse:
        """Answer one request. Blocks while the page is rendered, perhaps in this thread. Never raises."""
        thread = CallingThread()
        scrape = PendingScrape(request, thread.start, thread.wake)
        try:
            self.admit(scrape)
            thread.wait()
        finally:
            self.leave(scrape)
        return self.answer(scrape)

    def admit(self, scrape: PendingScrape) -> None:
        """Refuse a scrape, or let it wait for a page. Does not block, and never raises."""
        try:
            refusal = self._refusal(scrape)
            if refusal is None:
                self._join(scrape, negotiate(scrape.request.headers.get("accept")), scrape.names or ())
            else:
                scrape.caller.fail(refusal)
        except Exception as error:
            self._errors.error("admitting a scrape", error)
            scrape.caller.fail(error)

    def leave(self, scrape: PendingScrape) -> bool:
        """Wait no longer for a page. Return False if it is rendered already, or by now."""
        return self._renderings.leave(scrape.caller)

    def answer(self, scrape: PendingScrape) -> ScrapeResponse:
        """The answer to a scrape that has a page or an error, or whose client has left. Never raises."""
        result, response = _outcome(scrape)
        try:
            self._on_scrape(result, time.perf_counter() - scrape.arrived)
        except Exception as error:
            self._errors.error("counting a scrape", error)
        return response._replace(chunks=[]) if scrape.request.method == "HEAD" else response

    def _refusal(self, scrape: PendingScrape) -> _RefusedError | None:
        request = scrape.request
        status = self._access_control.denied_status(request.headers, request.client)
        if status is not None:
            if status == 403 and not request.client:
                self._errors.log_once("no address", _NO_ADDRESS)
            challenges = self._access_control.challenges if status == 401 else []
            headers = [("WWW-Authenticate", text) for text in challenges]
            return _RefusedError("denied", text_response(status, "", *headers))
        if request.method not in ("GET", "HEAD"):
            return _RefusedError("failure", text_response(405, "only GET and HEAD", ("Allow", "GET, HEAD")))
        if scrape.names is None:
            reason = f"at most {MAX_NAMES} names in {MAX_QUERY_LENGTH} characters"
            return _RefusedError("failure", text_response(400, reason))
        return None

    def _join(self, scrape: PendingScrape, choice: Choice, names: Collection[str]) -> None:
        key = choice.content_type, frozenset(names)
        self._renderings.join(scrape.caller, key, partial(self._render_page, choice, names))

    def _render_page(
        self, choice: Choice, names: Collection[str], compressed: Collection[bool]
    ) -> EncodedPages:
        try:
            self.before_page()
            pages = encode(self._render(choice, names), compressed)
            if False in pages:
                self._latest.add(pages[False])
            return pages
        except Exception as error:
            if not isinstance(error, IncompleteGroupError):
                self._errors.error("rendering the page", error)
            raise


class _RefusedError(Exception):
    """A scrape gets no page: its result, and the response instead."""

    def __init__(self, result: str, response: ScrapeResponse) -> None:
        super().__init__(result)
        self.result = result
        self.response = response


def _outcome(scrape: PendingScrape) -> tuple[str, ScrapeResponse]:
    pages, error = scrape.caller.result, scrape.caller.error
    if pages is not None:
        page = pages[scrape.compressed]
        return "success", ScrapeResponse(200, [*page.headers], page.chunks())
    if error is None:
        return "failure", text_response(503, "the scraper has left")
    if isinstance(error, _RefusedError):
        return error.result, error.response
    if isinstance(error, IncompleteGroupError):
        return "failure", text_response(503, str(error))
    return "failure", text_response(500, f"{type(error).__name__}: {error}"[:_MAX_REASON_LENGTH])
