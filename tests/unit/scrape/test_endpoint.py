"""The page as an HTTP resource."""

from __future__ import annotations

import gzip
import random
from collections.abc import Collection

import pytest

from dualmetrics.exporters.prometheus import Page, PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import Choice
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.renderer import PageRenderer
from tests.pages import TEXT, body, endpoint, get, header, page

LONG = b"".join(b'requests_total{n="%d"} %d\n' % (n, n) for n in range(5000))


def test_get_gives_the_page_and_its_size() -> None:
    response = get(page(b"a 1\n"))
    assert (response.status, body(response)) == (200, b"a 1\n")
    assert header(response, "content-type") == TEXT
    assert header(response, "content-length") == "4"
    assert header(response, "vary") == "Accept, Accept-Encoding"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_has_the_headers_of_get_and_no_body(encoding: str) -> None:
    asked = {"accept-encoding": encoding}
    got, head = get(page(LONG), asked), get(page(LONG), asked, method="HEAD")
    assert head.headers == got.headers
    assert head.status == 200
    assert head.chunks == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "X"])
def test_other_methods_are_not_allowed(method: str) -> None:
    response = get(page(), method=method)
    assert response.status == 405
    assert header(response, "allow") == "GET, HEAD"


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip, deflate, br, zstd", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzipped", False),
    ],
)
def test_a_long_page_is_compressed_if_the_scraper_accepts_gzip(accepted: str, zipped: bool) -> None:
    response = get(page(LONG), {"accept-encoding": accepted})
    assert header(response, "content-encoding") == ("gzip" if zipped else None)
    sent = body(response)
    assert header(response, "content-length") == str(len(sent))
    assert (gzip.decompress(sent) if zipped else sent) == LONG


def test_a_short_page_is_not_compressed() -> None:
    assert header(get(page(b"a 1\n"), {"accept-encoding": "gzip"}), "content-encoding") is None


def test_many_chunks_are_one_gzip_stream() -> None:
    chunks = [random.Random(seed).randbytes(64 * 1024) for seed in range(5)]
    answering = endpoint(lambda choice, names: Page(TEXT, chunks))
    response = get(answering, {"accept-encoding": "gzip"})
    assert gzip.decompress(body(response)) == b"".join(chunks)


def test_the_format_is_negotiated_and_the_page_filtered_by_name() -> None:
    points = (Point((), 1, (3.0,)),)
    families = tuple(
        Family(Descriptor(InstrumentationScope("dualmetrics"), name, Kind.COUNTER), points) for name in "ab"
    )
    renderer = PageRenderer(PrometheusExporter(), lambda exponential: Snapshot(1, (), families), False)
    answering = endpoint(renderer.render)
    accept = {"accept": "application/openmetrics-text;version=1.0.0"}
    response = get(answering, accept, query="x=1&name%5B%5D=b_total&name[]=c&name[]=")
    assert header(response, "content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body(response) == b"# TYPE b counter\nb_total 3\n# EOF\n"
    assert body(get(answering, query="name[]=")).count(b"TYPE") == 2


@pytest.mark.parametrize(
    "query", ["&".join(f"name[]=n{number}" for number in range(101)), "name[]=" + "x" * 10_000]
)
def test_a_filter_that_is_too_long_is_refused(query: str) -> None:
    response = get(page(), query=query)
    assert response.status == 400
    assert b"at most" in body(response)


def test_a_failure_answers_500_with_the_reason_in_one_line_and_is_counted() -> None:
    def render(choice: Choice, names: Collection[str]) -> Page:
        raise OSError("disk\r\n\r\nis gone" + "!" * 10_000)

    errors, scrapes = ErrorReporter(), list[str]()
    answering = endpoint(render, errors, on_scrape=lambda result, _: scrapes.append(result))
    response = get(answering)
    assert response.status == 500
    assert header(response, "content-type") == "text/plain; charset=utf-8"
    assert body(response).startswith(b"OSError: disk is gone!!!")
    assert b"\n" not in body(response).strip()
    assert len(body(response)) < 1000
    assert errors.error_count == 1
    assert scrapes == ["failure"]


def test_every_scrape_is_reported_with_its_result_and_duration() -> None:
    scrapes: list[tuple[str, float]] = []
    answering = ScrapeEndpoint(
        lambda choice, names: Page(TEXT, []),
        AccessControl(token="t"),
        ErrorReporter(),
        on_scrape=lambda result, seconds: scrapes.append((result, seconds)),
    )
    get(answering)
    get(answering, {"authorization": "Bearer t"})
    assert [result for result, _ in scrapes] == ["denied", "success"]
    assert all(0 <= seconds < 60 for _, seconds in scrapes)


def test_a_scrape_is_answered_even_if_it_cannot_be_counted() -> None:
    def on_scrape(result: str, seconds: float) -> None:
        raise RuntimeError("no counter")

    errors = ErrorReporter()
    assert get(endpoint(lambda choice, names: Page(TEXT, []), errors, on_scrape=on_scrape)).status == 200
    assert errors.error_count == 1
