"""Concurrent scrapes share a rendering, but never one that began before they arrived."""

from __future__ import annotations

import gzip
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import pytest

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import Choice
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse
from dualmetrics.scrape.pending_scrape import PendingScrape
from dualmetrics.workers.group_files import IncompleteGroupError
from tests.pages import TEXT, body, endpoint, get, header
from tests.waiting import wait_until

LONG = b"a 1\n" * 50_000


class Renderer:
    """Renders ``LONG``, one page each time that the test allows it. Fails with ``error`` if there is one."""

    def __init__(self) -> None:
        self.begun = 0
        self.error: Exception | None = None
        self.pages = threading.Semaphore(0)

    def __call__(self, choice: Choice, names: Collection[str]) -> Page:
        self.begun += 1
        assert self.pages.acquire(timeout=20)
        if self.error is not None:
            raise self.error
        return Page(TEXT, [LONG])


class Scrapers:
    """Scrapers of an endpoint, each in a thread."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.renderer = Renderer()
        self.errors = ErrorReporter()
        self.results: list[str] = []
        self.endpoint = ScrapeEndpoint(
            self.renderer,
            AccessControl(token="t"),
            self.errors,
            lambda result, seconds: self.results.append(result),
        )
        self._pool = pool
        self._admitted = 0
        self._admit = self.endpoint.admit
        self.endpoint.admit = self._count  # type: ignore[method-assign]  # to know who waits

    def _count(self, scrape: PendingScrape) -> None:
        self._admit(scrape)
        self._admitted += 1

    def start(self, *headers: Mapping[str, str], method: str = "GET") -> list[Future[ScrapeResponse]]:
        """Let a scraper with each of the headers arrive, and wait until all of them wait for a page."""
        before = self._admitted
        requests = [
            ScrapeRequest(method, {"authorization": "Bearer t", **each}, "", "192.0.2.1") for each in headers
        ]
        futures = [self._pool.submit(self.endpoint.respond, request) for request in requests]
        wait_until(lambda: self._admitted == before + len(headers), 10, "scrapers to arrive")
        return futures


@pytest.fixture
def scrapers() -> Iterator[Scrapers]:
    with ThreadPoolExecutor(16) as pool:
        made = Scrapers(pool)
        yield made
        made.renderer.pages.release(1000)


def test_scrapes_that_arrive_during_a_rendering_share_the_next_one(scrapers: Scrapers) -> None:
    first, others = scrapers.start({}), scrapers.start(*[{}] * 10)
    scrapers.renderer.pages.release(2)
    assert {body(future.result(10)) for future in first + others} == {LONG}
    assert scrapers.renderer.begun == 2
    assert scrapers.results == ["success"] * 11


def test_compressed_and_plain_pages_come_from_one_rendering(scrapers: Scrapers) -> None:
    zipped = {"accept-encoding": "gzip"}
    first, plain, small = scrapers.start({}), scrapers.start({}, {}), scrapers.start(zipped, zipped)
    heads = scrapers.start({}, zipped, method="HEAD")
    scrapers.renderer.pages.release(2)
    assert [body(future.result(10)) for future in first + plain] == [LONG] * 3
    assert [gzip.decompress(body(future.result(10))) for future in small] == [LONG] * 2
    sizes = [header(future.result(10), "content-length") for future in (plain[0], small[0])]
    assert [header(future.result(10), "content-length") for future in heads] == sizes
    assert [body(future.result(10)) for future in heads] == [b"", b""]
    assert scrapers.renderer.begun == 2


def test_who_may_not_read_the_page_is_refused_at_once_whoever_else_waits(scrapers: Scrapers) -> None:
    [first] = scrapers.start({})
    [refused] = scrapers.start({"authorization": "Bearer x"})
    assert refused.result(10).status == 401
    assert not first.done()
    scrapers.renderer.pages.release()
    assert first.result(10).status == 200
    assert scrapers.results == ["denied", "success"]


@pytest.mark.parametrize(
    ("error", "status", "errors"), [(OSError("gone"), 500, 2), (IncompleteGroupError("a worker"), 503, 0)]
)
def test_a_failed_rendering_fails_for_all_who_share_it_and_for_nobody_else(
    scrapers: Scrapers, error: Exception, status: int, errors: int
) -> None:
    scrapers.renderer.error = error
    first, others = scrapers.start({}), scrapers.start(*[{}] * 10)
    scrapers.renderer.pages.release(2)
    assert {future.result(10).status for future in first + others} == {status}
    assert scrapers.results == ["failure"] * 11
    assert scrapers.errors.error_count == errors, "counted once for each rendering"
    scrapers.renderer.error = None
    scrapers.renderer.pages.release()
    assert scrapers.start({})[0].result(10).status == 200


def test_headers_of_a_shared_page_are_the_own_ones_of_each_response(scrapers: Scrapers) -> None:
    first, others = scrapers.start({}), scrapers.start({}, {})
    scrapers.renderer.pages.release(2)
    changed, kept = (future.result(10).headers for future in others)
    changed.append(("X-Served-By", "a middleware"))
    assert kept == first[0].result(10).headers


class Interruption(BaseException):
    """What a signal handler raises."""


def test_a_thread_that_is_interrupted_while_it_waits_keeps_nobody_from_the_page(scrapers: Scrapers) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise Interruption

    [first] = scrapers.start({})
    request = ScrapeRequest("GET", {"authorization": "Bearer t"}, "", None)
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interruption):
            scrapers.endpoint.respond(
                request
            )  # waits for the turn of the next rendering, which it has to run
    finally:
        signal.signal(signal.SIGALRM, handler)
    others = scrapers.start({}, {})
    scrapers.renderer.pages.release(2)
    assert {future.result(10).status for future in [first, *others]} == {200}


def test_a_page_shows_everything_that_was_counted_before_it_was_asked_for() -> None:
    latest, lock = 0, Lock()

    def render(choice: Choice, names: Collection[str]) -> Page:
        return Page("text/plain", [str(latest).encode()])

    answering = endpoint(render)

    def scrape() -> None:
        nonlocal latest
        for _ in range(200):
            with lock:
                latest += 1
                before = latest
            assert int(body(get(answering))) >= before

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            for future in [pool.submit(scrape) for _ in range(8)]:
                future.result(60)
    finally:
        sys.setswitchinterval(interval)


def test_scrapes_of_other_formats_and_filters_do_not_share_a_page() -> None:
    def render(choice: Choice, names: Collection[str]) -> Page:
        return Page("text/plain", [repr((choice.format.dialect, sorted(names))).encode()])

    answering = endpoint(render)
    openmetrics = {"accept": "application/openmetrics-text"}
    asked = [({}, ""), (openmetrics, ""), ({}, "name[]=a"), (openmetrics, "name[]=a&name[]=b")]
    with ThreadPoolExecutor(16) as pool:
        futures = [(one, pool.submit(get, answering, one[0], query=one[1])) for one in asked * 20]
        for (headers, query), future in futures:
            names = [part.partition("=")[2] for part in query.split("&") if part]
            assert body(future.result(10)).decode() == repr(("openmetrics" if headers else "text", names))
