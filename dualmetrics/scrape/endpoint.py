"""The page as an HTTP resource, whatever the protocol and the framework."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import choose, wishes
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl, Network
from dualmetrics.scrape.single_flight import SingleFlight

Render = Callable[[str | None, Collection[str]], Page]

_WORTH_COMPRESSING = 1024  # bytes
_MOST_NAMES = 100
_LONGEST_QUERY = 8192
_LONGEST_REASON = 500


class ScrapeRequest(NamedTuple):
    """A request for the page: header names in lower case, ``client`` the address of the peer."""

    method: str
    headers: Mapping[str, str]
    query: str
    client: str | None


class ScrapeResponse(NamedTuple):
    """The answer; ``chunks`` are to be sent one after the other, once. There are none for HEAD."""

    status: int
    headers: list[tuple[str, str]]
    chunks: Iterable[bytes]


class ScrapeEndpoint:
    """Answers requests for the page; tells ``on_scrape(result, seconds)`` of each: success, failure, denied.

    `respond` blocks for as long as rendering takes: call it where that holds up nobody.
    """

    def __init__(
        self,
        render: Render,
        *,
        errors: ErrorReporter,
        token: str | None = None,
        basic_auth: str | None = None,
        allow: Sequence[Network] = (),
        trusted_proxies: Sequence[Network] = (),
        on_scrape: Callable[[str, float], None] = lambda result, seconds: None,
    ) -> None:
        self._render = render
        self._errors = errors
        self._guard = AccessControl(token, basic_auth, allow, trusted_proxies)
        self._on_scrape = on_scrape
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Renderings under way are the parent's."""
        self._sharing: SingleFlight[Page] = SingleFlight()

    def respond(self, request: ScrapeRequest) -> ScrapeResponse:
        """Answer one request; never raises."""
        started = time.perf_counter()
        try:
            result, response = self._answer(request)
        except Exception as error:
            self._errors.error("rendering the page", error)
            result, response = "failure", _plain(500, f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
        self._tell(result, time.perf_counter() - started)
        return response._replace(chunks=[]) if request.method == "HEAD" else response

    def _tell(self, result: str, seconds: float) -> None:
        try:
            self._on_scrape(result, seconds)
        except Exception as error:
            self._errors.error("counting a scrape", error)

    def _answer(self, request: ScrapeRequest) -> tuple[str, ScrapeResponse]:
        refused = self._guard.denied_status(request.headers, request.client)
        if refused is not None:
            challenges = self._guard.challenges if refused == 401 else []
            return "denied", _plain(refused, "", *(("WWW-Authenticate", text) for text in challenges))
        if request.method not in ("GET", "HEAD"):
            return "failure", _plain(405, "only GET and HEAD", ("Allow", "GET, HEAD"))
        names = _names(request.query)
        if names is None:
            return "failure", _plain(400, f"at most {_MOST_NAMES} names in {_LONGEST_QUERY} characters")
        accept = request.headers.get("accept")
        key = choose(accept).content_type, names
        page = self._sharing.call(key, lambda: self._render(accept, names))
        return "success", _rendered(page, request.headers.get("accept-encoding", ""))


def _names(query: str) -> frozenset[str] | None:
    """The metrics that ``name[]`` asks for; None if that is too much."""
    if len(query) > _LONGEST_QUERY:
        return None
    names = frozenset(value for name, value in parse_qsl(query) if name == "name[]")
    return names if len(names) <= _MOST_NAMES else None


def _rendered(page: Page, accept_encoding: str) -> ScrapeResponse:
    headers = [("Content-Type", page.content_type), ("Vary", "Accept, Accept-Encoding")]
    size, chunks = page.size, page.chunks()
    if size >= _WORTH_COMPRESSING and accepts_gzip(accept_encoding):
        headers.append(("Content-Encoding", "gzip"))
        compressed = [*gzipped(chunks)]
        size, chunks = sum(map(len, compressed)), iter(compressed)
    headers.append(("Content-Length", str(size)))
    return ScrapeResponse(200, headers, chunks)


def _plain(status: int, text: str, *headers: tuple[str, str]) -> ScrapeResponse:
    """A short text, of one line whatever the message was."""
    body = " ".join(text.split()).encode("utf-8", "replace")
    common = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    return ScrapeResponse(status, [*common, *headers], [body] if body else [])


def accepts_gzip(header: str) -> bool:
    """Whether Accept-Encoding takes gzip, and likes it no less than no coding (RFC 9110, section 12.5.3)."""
    weights = {wish.name: wish.quality for wish in wishes(header)}
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as one gzip stream. The fastest level: pages are scraped over fast networks, and often."""
    compressor = zlib.compressobj(level=1, wbits=31)
    for chunk in chunks:
        compressed = compressor.compress(chunk)
        if compressed:
            yield compressed
    yield compressor.flush()
